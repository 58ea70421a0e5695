// Mail as lists: newest first, searched, and swept out when its time is over. Runs in the database thread; every call
// looks at a bounded number of rows, so that mail coming in never waits long.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { z } from 'zod';
import { asText } from '#local/embedded/database.ts';
import type { Answer, Request } from '#local/embedded/requests.ts';
import { earliestIdAt } from '#mail/header/message-id.ts';
import { type MessageSummary, matchesSearch } from '#ops/messages/message-summary.ts';
import { earliestKey, isMailKey, messageIdOf } from '#pipeline/contract/keys.ts';
import type { ObjectRows } from './object-rows.ts';

const rowsPerSearch = 1_000;
const summarySchema = z.custom<MessageSummary>((value) => typeof value === 'object' && value !== null);

export type MailRows = {
  readonly search: (query: Request<'messages'>) => Answer<'messages'>;
  /** What a list shows of the message under this key. */
  readonly summary: (key: string) => MessageSummary | null;
  readonly find: (id: string) => readonly string[];
  readonly newestKeys: (prefix: string, before: string | null, limit: number) => Answer<'newestKeys'>;
  readonly sweep: (request: Request<'sweep'>) => readonly string[];
};

/** Over the same database as `objects`, which does the deleting. */
export function mailRows(database: DatabaseSync, objects: ObjectRows): MailRows {
  const sql = statements(database);
  const select = (mailbox: string | null, before: { readonly id: string; readonly key: string }, limit: number) => {
    if (mailbox === null) return sql.all.all(before.id, before.key, limit);
    if (mailbox.startsWith('@')) return sql.ofDomain.all(mailbox.slice(1), before.id, before.key, limit);
    return sql.ofMailbox.all(mailbox, before.id, before.key, limit);
  };
  return {
    search: ({ mailbox, q, limit, after }) => {
      const words = q ?? '';
      const rows = select(mailbox, placeOf(after), words === '' ? limit + 1 : rowsPerSearch);
      const found = rows.filter((row) => words === '' || matchesSearch(searchedOf(row), words)).slice(0, limit);
      const last = found.length === limit ? found.at(-1) : rows.at(-1);
      const isEnd = last === rows.at(-1) && rows.length < (words === '' ? limit + 1 : rowsPerSearch);
      return {
        messages: found.map(summaryOf),
        next: isEnd || last === undefined ? null : asText(last['key']),
      };
    },
    summary: (key) => {
      const row = sql.byKey.get(key);
      return row === undefined ? null : summaryOf(row);
    },
    find: (id) => sql.byId.all(id).map(({ key }) => asText(key)),
    newestKeys: (prefix, before, limit) => {
      const keys = objects.newestKeys(prefix, before, limit + 1);
      return { keys: keys.slice(0, limit), next: keys.length > limit ? (keys[limit - 1] ?? null) : null };
    },
    sweep: ({ before, limit }) => {
      const old = Object.entries(before).flatMap(([folder, time]) => {
        const at = Date.parse(time);
        if (isMailKey(folder)) return sql.mailBefore.all(earliestIdAt(at), folder, `${folder}~`, limit);
        // Every other folder is a tree by date, but this one.
        if (folder === 'destinations/') return sql.writtenBefore.all(folder, `${folder}~`, at, limit);
        return sql.range.all(folder, earliestKey(folder, at), limit);
      });
      const keys = keysOf(old).slice(0, limit);
      for (const key of keys) objects.delete(key, null);
      return keys;
    },
  };
}

function statements(database: DatabaseSync) {
  const rows = `SELECT key, messages.summary, messages.searched, shared_parts.summary AS shared_summary,
       shared_parts.searched AS shared_searched
     FROM messages LEFT JOIN shared_parts ON shared_parts.seq = messages.shared`;
  const newest = (where: string): string =>
    `${rows} WHERE ${where} (id, key) < (?, ?) ORDER BY id DESC, key DESC LIMIT ?`;
  return {
    all: database.prepare(newest('')),
    ofMailbox: database.prepare(newest('mailbox = ? AND')),
    ofDomain: database.prepare(newest('domain = ? AND')),
    byKey: database.prepare(`${rows} WHERE key = ?`),
    byId: database.prepare('SELECT key FROM messages WHERE id = ? ORDER BY key'),
    mailBefore: database.prepare('SELECT key FROM messages WHERE id < ? AND key > ? AND key < ? ORDER BY id LIMIT ?'),
    writtenBefore: database.prepare('SELECT key FROM objects WHERE key > ? AND key < ? AND modified_at < ? LIMIT ?'),
    range: database.prepare('SELECT key FROM objects WHERE key >= ? AND key < ? ORDER BY key LIMIT ?'),
  };
}

/** What is one recipient's own comes first, as it does where nothing is shared. */
function summaryOf(row: Record<string, SQLOutputValue>): MessageSummary {
  const own = summarySchema.parse(JSON.parse(asText(row['summary'])));
  const { shared_summary: shared } = row;
  return typeof shared === 'string' ? { ...own, ...summarySchema.parse(JSON.parse(shared)) } : own;
}

function searchedOf({ searched, shared_searched: shared }: Record<string, SQLOutputValue>): string {
  return typeof shared === 'string' ? `${asText(searched)}\n${shared}` : asText(searched);
}

function keysOf(rows: readonly Record<string, SQLOutputValue>[]): readonly string[] {
  return rows.map(({ key }) => asText(key));
}

/** Where a page before ended: its last key, whose last segment starts with the message's id. */
function placeOf(after: string | null): { readonly id: string; readonly key: string } {
  if (after === null) return { id: '~', key: '' };
  return { id: messageIdOf(after) ?? '', key: after };
}
