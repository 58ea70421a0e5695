// Mail as lists: newest first, searched, and swept out when its time is over. Runs in the database thread; every call
// looks at a bounded number of rows, so that mail coming in never waits long.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { z } from 'zod';
import { asNumber, asText } from '#local/embedded/database.ts';
import type { Answer, Request } from '#local/embedded/requests.ts';
import { type MarkedSummary, type MessageSummary, matchesSearch } from '#ops/messages/message-summary.ts';
import { earliestKey, isMailKey } from '#pipeline/contract/keys.ts';
import { firstPlaceAt, placeAt } from './mail-order.ts';
import type { ObjectRows } from './object-rows.ts';

const mailsPerSearch = 1_000;
const summarySchema = z.custom<MessageSummary>((value) => typeof value === 'object' && value !== null);

export type MailRows = {
  readonly search: (query: Request<'messages'>) => Answer<'messages'>;
  /** What a list shows of the message under this key. */
  readonly summary: (key: string) => MarkedSummary | null;
  readonly mailboxes: () => Answer<'mailboxes'>;
  readonly find: (id: string) => readonly string[];
  readonly newestKeys: (prefix: string, before: string | null, limit: number) => Answer<'newestKeys'>;
  readonly sweep: (request: Request<'sweep'>) => readonly string[];
};

/** Over the same database as `objects`, which does the deleting. */
export function mailRows(database: DatabaseSync, objects: ObjectRows): MailRows {
  const sql = statements(database);
  const select = (mailbox: string | null, before: number, limit: number) => {
    if (mailbox === null) return sql.all.all(before, limit);
    if (mailbox.startsWith('@')) return sql.ofDomain.all(mailbox.slice(1), before, limit);
    return sql.ofMailbox.all(mailbox, before, limit);
  };
  const copiesOf = (mail: number, mailbox: string | null, q: string): readonly MarkedSummary[] =>
    sql.copies
      .all(mail)
      .filter((row) => isOf(mailbox, row) && (q === '' || matchesSearch(searchedOf(row), q)))
      .map(summaryOf);
  return {
    search: ({ mailbox, q, limit, after }) => {
      const words = q ?? '';
      const most = words === '' ? limit : mailsPerSearch;
      const mails = select(mailbox, sql.placeOf(after), most + 1);
      const messages: MarkedSummary[] = [];
      let [found, looked, last] = [0, 0, ''];
      for (const { seq, id } of mails.slice(0, most)) {
        const copies = copiesOf(asNumber(seq), mailbox, words);
        messages.push(...copies);
        looked += 1;
        last = asText(id);
        if (copies.length > 0) found += 1;
        if (found === limit) break;
      }
      return { messages, next: looked < mails.length ? last : null };
    },
    summary: (key) => {
      const row = sql.byKey.get(key);
      return row === undefined ? null : summaryOf(row);
    },
    mailboxes: () => {
      const counts = (row: Record<string, SQLOutputValue>) => ({
        name: asText(row['name']),
        messages: asNumber(row['messages']),
      });
      return {
        mailboxes: sql.mailboxes.all().map((row) => ({ ...counts(row), unread: asNumber(row['unread']) })),
        messages: asNumber(sql.count.get()?.['messages']),
        unread: asNumber(sql.countUnread.get()?.['messages']),
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
  const copies = `SELECT key, mailbox, domain, messages.summary, messages.searched, shared_parts.summary AS shared_summary,
       shared_parts.searched AS shared_searched, is_read,
       (SELECT json_group_array(tag) FROM (SELECT tag FROM mail_tags WHERE mail_tags.mail = messages.mail ORDER BY tag)) AS tags
     FROM messages JOIN mails ON mails.seq = mail LEFT JOIN shared_parts ON shared_parts.seq = messages.shared`;
  const ofCopies = (where: string): string =>
    `SELECT DISTINCT mail AS seq, id FROM messages JOIN mails ON mails.seq = mail WHERE ${where} AND mail < ? ORDER BY mail DESC LIMIT ?`;
  const place = database.prepare('SELECT seq FROM mails WHERE id = ?');
  return {
    all: database.prepare('SELECT seq, id FROM mails WHERE seq < ? ORDER BY seq DESC LIMIT ?'),
    ofMailbox: database.prepare(ofCopies('mailbox = ?')),
    ofDomain: database.prepare(ofCopies('domain = ?')),
    copies: database.prepare(`${copies} WHERE mail = ? ORDER BY key`),
    byKey: database.prepare(`${copies} WHERE key = ?`),
    byId: database.prepare('SELECT key FROM messages WHERE mail = (SELECT seq FROM mails WHERE id = ?) ORDER BY key'),
    mailboxes: database.prepare('SELECT name, messages, unread FROM mailboxes ORDER BY name'),
    count: database.prepare('SELECT count(*) AS messages FROM mails'),
    countUnread: database.prepare('SELECT count(*) AS messages FROM mails WHERE is_read = 0'),
    tags: database.prepare('SELECT tag AS name, count(*) AS messages FROM mail_tags GROUP BY tag ORDER BY tag'),
    /** What is listed behind this message, as a place: that of the message, or of its millisecond if it is gone. */
    placeOf: (id: string | null): number => {
      if (id === null) return Number.MAX_SAFE_INTEGER;
      const seq = place.get(id)?.['seq'];
      return typeof seq === 'number' ? seq : firstPlaceAt(id);
    },
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

function searchedOf({ searched, shared_searched: shared }: Record<string, SQLOutputValue>): string {
  return typeof shared === 'string' ? `${asText(searched)}\n${shared}` : asText(searched);
}

function keysOf(rows: readonly Record<string, SQLOutputValue>[]): readonly string[] {
  return rows.map(({ key }) => asText(key));
}
