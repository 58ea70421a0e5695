// Mail as lists: newest first, searched, and swept out when its time is over. Runs in the database thread; every call
// looks at a bounded number of rows, so that mail coming in never waits long.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { z } from 'zod';
import { asNumber, asText } from '#local/embedded/database.ts';
import type { Answer, Request } from '#local/embedded/requests.ts';
import type { MarkedSummary, MessageSummary } from '#ops/messages/message-summary.ts';
import { earliestKey, isMailKey } from '#pipeline/contract/keys.ts';
import { placeAt } from './mail-order.ts';
import { mailText } from './mail-text.ts';
import type { ObjectRows } from './object-rows.ts';
import type { RecentTexts } from './recent-texts.ts';
import { mailSearch } from './search-mail.ts';

const summarySchema = z.custom<MessageSummary>((value) => typeof value === 'object' && value !== null);

export type MailRows = {
  readonly search: (query: Request<'messages'>) => Answer<'messages'>;
  /** What a list shows of the message under this key. */
  readonly summary: (key: string) => MarkedSummary | null;
  readonly mailboxes: () => Answer<'mailboxes'>;
  readonly oldest: (request: Request<'oldest'>) => readonly string[];
  readonly indexText: (request: Request<'indexText'>) => Answer<'indexText'>;
  readonly textsToIndex: () => number;
  readonly find: (id: string) => readonly string[];
  readonly newestKeys: (prefix: string, before: string | null, limit: number) => Answer<'newestKeys'>;
  readonly sweep: (request: Request<'sweep'>) => readonly string[];
};

/** Over the same database as `objects`, which does the deleting. */
export function mailRows(database: DatabaseSync, objects: ObjectRows, recent: RecentTexts): MailRows {
  const sql = statements(database);
  const text = mailText(database, recent);
  const find = mailSearch(database, text);
  return {
    search: (query) => {
      const { found, next } = find(query);
      const copies = found.flatMap(({ seq }) => sql.copies.all(seq).filter((row) => isOf(query.mailbox, row)));
      return { messages: copies.map(summaryOf), next };
    },
    oldest: ({ mailbox, limit }) => sql.oldest.all(mailbox, limit).map(({ id }) => asText(id)),
    indexText: text.index,
    textsToIndex: text.left,
    summary: (key) => {
      const row = sql.byKey.get(key);
      return row === undefined ? null : summaryOf(row);
    },
    mailboxes: () => {
      const counts = (row: Record<string, SQLOutputValue>) => ({
        name: asText(row['name']),
        messages: asNumber(row['messages']),
      });
      const totals = sql.totals.get();
      return {
        mailboxes: sql.mailboxes.all().map((row) => ({ ...counts(row), unread: asNumber(row['unread']) })),
        messages: asNumber(totals?.['messages']),
        unread: asNumber(totals?.['unread']),
        tags: sql.tags.all().map(counts),
      };
    },
    find: (id) => sql.byId.all(id).map(({ key }) => asText(key)),
    newestKeys: (prefix, before, limit) => {
      const keys = objects.newestKeys(prefix, before, limit + 1);
      return { keys: keys.slice(0, limit), next: keys.length > limit ? (keys[limit - 1] ?? null) : null };
    },
    sweep: ({ before, limit }) => {
      const old = Object.entries(before).flatMap(([folder, time]) => {
        const at = Date.parse(time);
        if (isMailKey(folder)) return sql.mailBefore.all(placeAt(at), folder, `${folder}~`, limit);
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
  const copies = `SELECT key, mailbox, domain, messages.summary, shared_parts.summary AS shared_summary, is_read,
       (SELECT json_group_array(tag) FROM (SELECT tag FROM mail_tags WHERE mail_tags.mail = messages.mail ORDER BY tag)) AS tags
     FROM messages JOIN mails ON mails.seq = mail LEFT JOIN shared_parts ON shared_parts.seq = messages.shared`;
  return {
    copies: database.prepare(`${copies} WHERE mail = ? ORDER BY key`),
    byKey: database.prepare(`${copies} WHERE key = ?`),
    byId: database.prepare('SELECT key FROM messages WHERE mail = (SELECT seq FROM mails WHERE id = ?) ORDER BY key'),
    mailboxes: database.prepare('SELECT name, messages, unread FROM mailboxes ORDER BY name'),
    oldest: database.prepare(
      'SELECT DISTINCT mail, id FROM messages JOIN mails ON seq = mail WHERE mailbox = ? ORDER BY mail LIMIT ?',
    ),
    totals: database.prepare('SELECT messages, unread FROM mail_totals'),
    tags: database.prepare('SELECT tag AS name, count(*) AS messages FROM mail_tags GROUP BY tag ORDER BY tag'),
    mailBefore: database.prepare(
      'SELECT key FROM messages WHERE mail < ? AND key > ? AND key < ? ORDER BY mail LIMIT ?',
    ),
    writtenBefore: database.prepare('SELECT key FROM objects WHERE key > ? AND key < ? AND modified_at < ? LIMIT ?'),
    range: database.prepare('SELECT key FROM objects WHERE key >= ? AND key < ? ORDER BY key LIMIT ?'),
  };
}

/** `mailbox`: `local@domain`, or `@domain` for all of a domain; null: any. */
function isOf(mailbox: string | null, row: Record<string, SQLOutputValue>): boolean {
  return mailbox === null || row['mailbox'] === mailbox || `@${asText(row['domain'])}` === mailbox;
}

/** What is one recipient's own comes first, as it does where nothing is shared. */
function summaryOf(row: Record<string, SQLOutputValue>): MarkedSummary {
  const own = summarySchema.parse(JSON.parse(asText(row['summary'])));
  const { shared_summary: shared } = row;
  const marks = { read: row['is_read'] === 1, tags: z.array(z.string()).parse(JSON.parse(asText(row['tags']))) };
  return { ...own, ...(typeof shared === 'string' ? summarySchema.parse(JSON.parse(shared)) : {}), ...marks };
}

function keysOf(rows: readonly Record<string, SQLOutputValue>[]): readonly string[] {
  return rows.map(({ key }) => asText(key));
}
