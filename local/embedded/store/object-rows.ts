// Objects as rows: every function here runs inside the transaction of a batch, in the database thread.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { z } from 'zod';
import { asNumber, asText } from '#local/embedded/database.ts';
import type { Answer, FoundObject, NewObject } from '#local/embedded/requests.ts';
import { isMailKey, isMarksKey, messageIdOf } from '#pipeline/contract/keys.ts';
import type { ListPage, ObjectFacts } from '#pipeline/contract/ports.ts';
import { noMarks } from '#pipeline/contract/records/marks.ts';
import { listingOf, ownListingOf, readMarks, sharedListingOf } from './listing.ts';
import { type MailIndex, mailIndex } from './mail-index.ts';
import type { RecentTexts } from './recent-texts.ts';
import { type SharedRows, sharedRows } from './shared-rows.ts';

/** What a body that is no file has of one. */
const inRow = { name: null, sha256: null } as const;
const nothing = new Uint8Array();
const metadataSchema = z.record(z.string(), z.string());

type Row = Record<string, SQLOutputValue>;

/** What came along of an object: its body, null where that is a file; the part it shares, null where there is none or it is here. */
export type Bodies = { readonly content: Uint8Array | null; readonly shared: Uint8Array | null };

export type ObjectRows = {
  readonly put: (object: NewObject, bodies: Bodies, now: number) => Answer<'put'>;
  readonly get: (key: string) => FoundObject | null;
  readonly head: (key: string) => ObjectFacts | null;
  readonly list: (prefix: string, after: string, limit: number) => ListPage;
  readonly newestKeys: (prefix: string, before: string | null, limit: number) => readonly string[];
  readonly delete: (key: string, ifMatch: string | null) => 'deleted' | 'conflict';
};

type Around = { readonly sql: ReturnType<typeof statements>; readonly parts: SharedRows; readonly mail: MailIndex };

/** `freed` is told of each file that no row points to any more, once the transaction stands. */
export function objectRows(database: DatabaseSync, recent: RecentTexts, freed: (file: string) => void): ObjectRows {
  const sql = statements(database);
  const parts = sharedRows(database);
  const { put, remove, release } = objectWriter({ sql, parts, mail: mailIndex(database, recent) }, freed);
  return {
    put,
    get: (key) => {
      const row = sql.read.get(key);
      if (row === undefined) return null;
      const { file, sha256, shared, body } = row;
      if (typeof file === 'string') {
        return { ...factsOf(row), kind: 'file', file, sha256: typeof sha256 === 'string' ? sha256 : null };
      }
      if (!(body instanceof Uint8Array)) throw new Error(`object ${key} has no body`);
      const content = typeof shared === 'number' ? joined(body, parts.read(shared)) : body;
      return { ...factsOf(row), kind: 'inline', content };
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
      release(found);
      return 'deleted';
    },
  };
}

function objectWriter(around: Around, freed: (file: string) => void) {
  const { sql, parts, mail } = around;
  const versions = createEtags();
  const remove = (key: string, found: Row): void => {
    if (typeof found['file'] === 'string') freed(found['file']);
    sql.remove.run(key);
    if (isMailKey(key)) mail.remove(key);
    if (isMarksKey(key)) mail.mark(messageIdOf(key) ?? '', noMarks);
  };
  /** After the new row is there: it may need the same part. */
  const release = ({ shared }: Row): void => {
    if (typeof shared === 'number') parts.release(shared);
  };
  const put = (object: NewObject, bodies: Bodies, now: number): Answer<'put'> => {
    const { key, condition, content, contentType, metadata } = object;
    const isNew = condition !== null && 'ifAbsent' in condition;
    // Most that is written has to be new: the index says whether it is, without a look before.
    const found = isNew && object.shared === undefined ? undefined : sql.find.get(key);
    if (isNew && found !== undefined) return { outcome: 'conflict' };
    if (condition !== null && 'ifMatch' in condition && found?.['etag'] !== condition.ifMatch) {
      return { outcome: 'conflict' };
    }
    const shared = keepShared(parts, object, bodies);
    if (shared === null && object.shared !== undefined) return { outcome: 'lacks-shared' };
    const etag = versions();
    const bytes = content.bytes + (object.shared?.bytes ?? 0);
    const { name: file, sha256 } = content.kind === 'file' ? content : inRow;
    if (found !== undefined) remove(key, found);
    const into = isNew ? sql.insertAbsent : sql.insert;
    const facts = [key, etag, contentType, metadata, bytes, now, file, sha256, shared] as const;
    if (into.run(...facts, bodies.content).changes === 0) return { outcome: 'conflict' };
    if (found !== undefined) release(found);
    if (bodies.content !== null) index(around, { key, content: bodies.content, shared });
    return { outcome: 'stored', etag };
  };
  return { put, remove, release };
}

/** The number of the shared part, kept from now on; null where there is none, or it is not here and did not come along. */
function keepShared(parts: SharedRows, { key, shared }: NewObject, bodies: Bodies): number | null {
  if (shared === undefined) return null;
  const known = parts.find(shared.sha256);
  if (known !== null || bodies.shared === null) return known;
  const listing = isMailKey(key) ? sharedListingOf(bodies.content ?? nothing, bodies.shared) : null;
  return parts.add({ sha256: shared.sha256, content: bodies.shared, listing });
}

type Listed = { readonly key: string; readonly content: Uint8Array; readonly shared: number | null };

function index(around: Around, written: Listed): void {
  const { key, content } = written;
  if (isMailKey(key)) listMessage(around, written);
  if (isMarksKey(key)) around.mail.mark(messageIdOf(key) ?? '', readMarks(content));
}

/** What shares its end is listed by its own part, as long as that end is one of a message. */
function listMessage({ parts, mail }: Around, { key, content, shared }: Listed): void {
  const isInParts = shared !== null && parts.isListed(shared);
  const listing = isInParts ? ownListingOf(key, content) : listingOf(key, content);
  if (listing !== null) mail.add(key, listing, isInParts ? shared : null);
}

function statements(database: DatabaseSync) {
  const insert = `INSERT INTO objects (key, etag, content_type, metadata, bytes, modified_at, file, sha256, shared, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
  const facts = 'key, etag, content_type, metadata, bytes, modified_at';
  return {
    find: database.prepare('SELECT etag, file, shared FROM objects WHERE key = ?'),
    insert: database.prepare(insert),
    insertAbsent: database.prepare(`${insert} ON CONFLICT (key) DO NOTHING`),
    remove: database.prepare('DELETE FROM objects WHERE key = ?'),
    read: database.prepare(`SELECT ${facts}, file, sha256, shared, body FROM objects WHERE key = ?`),
    head: database.prepare(`SELECT ${facts} FROM objects WHERE key = ?`),
    list: database.prepare(`SELECT ${facts} FROM objects WHERE key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?`),
    newest: database.prepare('SELECT key FROM objects WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?'),
  };
}

/** One array with a buffer of its own: it is handed over to the other thread. */
function joined(own: Uint8Array, shared: Uint8Array): Uint8Array {
  const whole = new Uint8Array(own.length + shared.length);
  whole.set(own);
  whole.set(shared, own.length);
  return whole;
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
