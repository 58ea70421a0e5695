// Objects as rows: every function here runs inside the transaction of a batch, in the database thread.
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { z } from 'zod';
import { parseInboxMessage, searchText, summarise } from '#pipeline/ops/message-summary.ts';
import type { ListPage, ObjectFacts, PutOutcome } from '#pipeline/ports.ts';
import { asNumber, asText } from './database.ts';
import type { FoundObject, NewObject } from './requests.ts';

/** What a body that is no file has of one. */
const inRow = { name: null, sha256: null } as const;
const metadataSchema = z.record(z.string(), z.string());

type Row = Record<string, SQLOutputValue>;

export type ObjectRows = {
  readonly put: (object: NewObject, content: Uint8Array | null, now: number) => PutOutcome;
  readonly get: (key: string) => FoundObject | null;
  readonly head: (key: string) => ObjectFacts | null;
  readonly list: (prefix: string, after: string, limit: number) => ListPage;
  readonly newestKeys: (prefix: string, before: string | null, limit: number) => readonly string[];
  readonly delete: (key: string, ifMatch: string | null) => 'deleted' | 'conflict';
};

/** `freed` is told of each file that no row points to any more, once the transaction stands. */
export function objectRows(database: DatabaseSync, freed: (file: string) => void): ObjectRows {
  const sql = statements(database);
  const versions = createEtags();

  const remove = (key: string, found: Row): void => {
    if (typeof found['file'] === 'string') freed(found['file']);
    sql.remove.run(key);
    if (isListed(key)) sql.unlistMessage.run(key);
  };

  /** The new row's etag, or null where the statement found the key taken. */
  const insert = (into: StatementSync, object: NewObject, content: Uint8Array | null, now: number): string | null => {
    const { key, contentType, metadata } = object;
    const etag = versions();
    const { bytes } = object.content;
    const { name: file, sha256 } = object.content.kind === 'file' ? object.content : inRow;
    const { changes } = into.run(key, etag, contentType, metadata, bytes, now, file, sha256, content);
    if (changes === 0) return null;
    if (isListed(key) && content !== null) listMessage(sql, key, content);
    return etag;
  };

  return {
    put: (object, content, now) => {
      const { key, condition } = object;
      const isNew = condition !== null && 'ifAbsent' in condition;
      const found = isNew ? undefined : sql.find.get(key);
      if (condition !== null && 'ifMatch' in condition && found?.['etag'] !== condition.ifMatch) {
        return { outcome: 'conflict' };
      }
      if (found !== undefined) remove(key, found);
      const etag = insert(isNew ? sql.insertAbsent : sql.insert, object, content, now);
      return etag === null ? { outcome: 'conflict' } : { outcome: 'stored', etag };
    },
    get: (key) => {
      const row = sql.read.get(key);
      if (row === undefined) return null;
      const { file, sha256, body } = row;
      if (typeof file === 'string') {
        return { ...factsOf(row), kind: 'file', file, sha256: typeof sha256 === 'string' ? sha256 : null };
      }
      if (!(body instanceof Uint8Array)) throw new Error(`object ${key} has no body`);
      return { ...factsOf(row), kind: 'inline', content: body };
    },
    head: (key) => {
      const row = sql.head.get(key);
      return row === undefined ? null : factsOf(row);
    },
    list: (prefix, after, limit) => {
      const rows = sql.list.all(prefix, endOf(prefix), after, limit + 1);
      const objects = rows.slice(0, limit).map((row) => {
        const { key, bytes, etag, modifiedAt } = factsOf(row);
        return { key, bytes, etag, modifiedAt };
      });
      return { objects, next: rows.length > limit ? (objects.at(-1)?.key ?? null) : null };
    },
    newestKeys: (prefix, before, limit) =>
      sql.newest.all(prefix, before ?? endOf(prefix), limit).map(({ key }) => asText(key)),
    delete: (key, ifMatch) => {
      const found = sql.find.get(key);
      if (found === undefined) return 'deleted';
      if (ifMatch !== null && found['etag'] !== ifMatch) return 'conflict';
      remove(key, found);
      return 'deleted';
    },
  };
}

function statements(database: DatabaseSync) {
  const insert = `INSERT INTO objects (key, etag, content_type, metadata, bytes, modified_at, file, sha256, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
  const facts = 'key, etag, content_type, metadata, bytes, modified_at';
  return {
    find: database.prepare('SELECT etag, file FROM objects WHERE key = ?'),
    insert: database.prepare(insert),
    insertAbsent: database.prepare(`${insert} ON CONFLICT (key) DO NOTHING`),
    remove: database.prepare('DELETE FROM objects WHERE key = ?'),
    read: database.prepare(`SELECT ${facts}, file, sha256, body FROM objects WHERE key = ?`),
    head: database.prepare(`SELECT ${facts} FROM objects WHERE key = ?`),
    list: database.prepare(`SELECT ${facts} FROM objects WHERE key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?`),
    newest: database.prepare('SELECT key FROM objects WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?'),
    listMessage: database.prepare(
      'INSERT OR REPLACE INTO messages (key, id, mailbox, domain, summary, searched) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    unlistMessage: database.prepare('DELETE FROM messages WHERE key = ?'),
  };
}

function listMessage(sql: ReturnType<typeof statements>, key: string, content: Uint8Array): void {
  const message = parseInboxMessage(Buffer.from(content.buffer, content.byteOffset, content.length).toString());
  if (message === null) return;
  const summary = summarise(key, message);
  const { domain } = message.mailbox;
  sql.listMessage.run(key, message.id, summary.mailbox, domain, JSON.stringify(summary), searchText(message));
}

function isListed(key: string): boolean {
  return key.startsWith('inbox/') || key.startsWith('quarantine/');
}

function factsOf(row: Row): ObjectFacts {
  return {
    key: asText(row['key']),
    bytes: asNumber(row['bytes']),
    etag: asText(row['etag']),
    contentType: asText(row['content_type']),
    metadata: metadataSchema.parse(JSON.parse(asText(row['metadata']))),
    modifiedAt: new Date(asNumber(row['modified_at'])).toISOString(),
  };
}

/** The first text after all that begin with the prefix. The highest byte of UTF-8 is F4, U+10FFFF its last character. */
function endOf(prefix: string): string {
  return `${prefix}\u{10FFFF}\u{10FFFF}`;
}

/** Every write gets a text of its own. */
function createEtags(): () => string {
  const start = Date.now().toString(36) + Math.floor(Math.random() * 36 ** 6).toString(36);
  let count = 0;
  return () => `"${start}-${(count++).toString(36)}"`;
}
