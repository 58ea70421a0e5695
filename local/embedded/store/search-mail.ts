// A step of a search of mail: what the index finds, and what is not in it yet and is read. Newest first; each step reads a bounded number
// of messages, so that mail coming in never waits long.
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { asNumber, asText } from '#local/embedded/database.ts';
import { hasText, type SearchTexts, searchOf } from '#ops/messages/search-match.ts';
import type { Search } from '#ops/messages/search-query.ts';
import { firstPlaceAt } from './mail-order.ts';
import type { MailText } from './mail-text.ts';
import { type SearchSql, searchSql } from './search-sql.ts';

/** A message in a list: its place and its id. */
export type Found = { readonly seq: number; readonly id: string };

/** `next`: the id of the last message that was looked at, or null at the end. */
export type FoundPage = { readonly found: readonly Found[]; readonly next: string | null };

type Query = {
  readonly mailbox: string | null;
  readonly q: string | null;
  readonly limit: number;
  readonly after: string | null;
};
/** `isMore`: messages behind the last one were not looked at. */
type Part = { readonly found: readonly Found[]; readonly last: Found | null; readonly isMore: boolean };

const readAtMost = 200;
const fewAtMost = 500;

/** `text`: for what the index of texts does not know. */
export function mailSearch(database: DatabaseSync, { read, grams }: Pick<MailText, 'read' | 'grams'>) {
  const place = database.prepare('SELECT seq FROM mails WHERE id = ?');
  const ofMailbox = database.prepare(newestOf('mailbox'));
  const ofDomain = database.prepare(newestOf('domain'));
  const placeOf = (id: string | null): number => {
    if (id === null) return Number.MAX_SAFE_INTEGER;
    const seq = place.get(id)?.['seq'];
    return typeof seq === 'number' ? seq : firstPlaceAt(id);
  };
  const select = (sql: SearchSql, { before, limit, isIndexed }: Range): readonly Found[] => {
    const match = isIndexed ? sql.match : null;
    const state = sql.texts.length === 0 ? [] : [`mails.is_indexed ${isIndexed ? '=' : '<>'} 1`];
    const where = [...state, ...sql.columns.map((part) => part.sql)].map((text) => ` AND ${text}`).join('');
    const values: SQLInputValue[] = sql.columns.flatMap((part) => [...part.values]);
    if (match !== null && sql.columns.length > 0) {
      const rows = `SELECT seq, id FROM mails WHERE seq < ?${where}`;
      const few = database.prepare(`${rows} LIMIT ?`).all(before, ...values, fewAtMost + 1).length <= fewAtMost;
      // The index is asked of each of the few, not of all that have the words.
      const isMatch = 'EXISTS (SELECT 1 FROM mail_text WHERE mail_text MATCH ? AND rowid = mails.seq)';
      const ofFew = `${rows} AND ${isMatch} ORDER BY seq DESC LIMIT ?`;
      if (few)
        return database
          .prepare(ofFew)
          .all(before, ...values, match, limit)
          .map(foundOf);
    }
    const from =
      match === null
        ? 'SELECT seq, id FROM mails WHERE seq < ?'
        : `SELECT mails.seq, id FROM mail_text CROSS JOIN mails ON mails.seq = mail_text.rowid
           WHERE mail_text MATCH ? AND mail_text.rowid < ?`;
    const order = match === null ? 'seq' : 'mail_text.rowid';
    const given = match === null ? [before] : [match, before];
    return database
      .prepare(`${from}${where} ORDER BY ${order} DESC LIMIT ?`)
      .all(...given, ...values, limit)
      .map(foundOf);
  };
  const readAlong = (sql: SearchSql, before: number, limit: number): Part => {
    const most = sql.toRead.length === 0 ? limit : readAtMost;
    const rows = select(sql, { before, limit: most + 1, isIndexed: true });
    return partOf(rows, most, ({ seq }) => hasAll(sql.toRead, () => read(seq)));
  };
  /** A short text that most messages have is found soon by reading; of one that few have the index names the trigrams soon. */
  const indexed = (query: Asked, before: number, limit: number): Part => {
    const { sql } = query;
    const part = readAlong(sql, before, limit);
    if (!sql.hasShort || !part.isMore || part.found.length > limit) return part;
    return readAlong(searchSql(query.search, query.mailbox, grams), before, limit);
  };
  const waiting = (sql: SearchSql, before: number): Part => {
    const rows = sql.texts.length === 0 ? [] : select(sql, { before, limit: readAtMost + 1, isIndexed: false });
    return partOf(rows, readAtMost, ({ seq }) => hasAll(sql.texts, () => read(seq)));
  };
  return ({ mailbox, q, limit, after }: Query): FoundPage => {
    const before = placeOf(after);
    if (q === null && mailbox !== null) {
      const [statement, name] = mailbox.startsWith('@') ? [ofDomain, mailbox.slice(1)] : [ofMailbox, mailbox];
      return pageOf([partOf(statement.all(name, before, limit + 1).map(foundOf), limit, () => true)], limit);
    }
    const search = searchOf(q);
    const sql = searchSql(search, mailbox);
    return pageOf([indexed({ search, mailbox, sql }, before, limit), waiting(sql, before)], limit);
  };
}

type Asked = { readonly search: Search; readonly mailbox: string | null; readonly sql: SearchSql };
type Range = { readonly before: number; readonly limit: number; readonly isIndexed: boolean };

function newestOf(column: 'mailbox' | 'domain'): string {
  return `SELECT DISTINCT mail AS seq, id FROM messages JOIN mails ON mails.seq = mail
    WHERE ${column} = ? AND mail < ? ORDER BY mail DESC LIMIT ?`;
}

function partOf(rows: readonly Found[], most: number, isFound: (row: Found) => boolean): Part {
  const looked = rows.slice(0, most);
  return { found: looked.filter(isFound), last: looked.at(-1) ?? null, isMore: rows.length > most };
}

/** The parts as one list, as far as each of them was looked through. */
function pageOf(parts: readonly Part[], limit: number): FoundPage {
  const ends = parts.flatMap(({ isMore, last }) => (isMore && last !== null ? [last] : []));
  const end = ends.reduce<Found | null>(
    (newest, one) => (newest === null || one.seq > newest.seq ? one : newest),
    null,
  );
  const all = parts
    .flatMap(({ found }) => found)
    .filter(({ seq }) => end === null || seq >= end.seq)
    .sort((one, other) => other.seq - one.seq);
  const found = all.slice(0, limit);
  return { found, next: all.length > limit ? (found.at(-1)?.id ?? null) : (end?.id ?? null) };
}

/** The texts are read only if something is asked of them. */
function hasAll(terms: SearchSql['texts'], read: () => SearchTexts | null): boolean {
  const texts = terms.length === 0 ? null : read();
  return terms.every((term) => (texts !== null && hasText(term, texts)) !== term.not);
}

function foundOf({ seq, id }: Record<string, SQLOutputValue>): Found {
  return { seq: asNumber(seq), id: asText(id) };
}
