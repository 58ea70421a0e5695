// A search of mail as SQL: what the full-text index answers, what columns say, and what has to be read, since the index (of trigrams, of
// the begin of a header field) does not know it.

import type { Search, SearchedField, SearchTerm } from '#ops/messages/search-query.ts';
import { firstPlaceAt, placeAt, placesPerMs } from './mail-order.ts';
import { headerEnd, indexedValueLength } from './text-index.ts';

/** A condition on `mails`, and the values of its question marks. */
type Condition = { readonly sql: string; readonly values: readonly (string | number)[] };

type TextTerm = Extract<SearchTerm, { readonly kind: 'text' }>;

/**
 * `match`: for the index, null if it has nothing to say. `columns`: hold for any message. `toRead`: the texts that only reading finds, or
 * tells for sure; `hasShort`: there are some that are too short for the index; `texts`: all that are asked for.
 */
export type SearchSql = {
  readonly match: string | null;
  readonly columns: readonly Condition[];
  readonly toRead: readonly TextTerm[];
  readonly hasShort: boolean;
  readonly texts: readonly TextTerm[];
};

const shortestIndexed = 3;
const columnsOf: Readonly<Record<SearchedField, string>> = {
  any: '{sender recipients subject other}',
  address: '{sender recipients}',
  from: 'sender',
  to: 'recipients',
  subject: 'subject',
  header: 'header',
};

/** The trigrams that begin with a text of one or two characters; null: it is not known. */
type Grams = (begin: string) => readonly string[] | null;

/**
 * `mailbox`: `local@domain`, or `@domain` for all of a domain; null: any. With `grams` a text that is too short for the index is looked
 * for by all trigrams that begin so.
 */
export function searchSql(search: Search, mailbox: string | null, grams: Grams = () => null): SearchSql {
  const texts = search.filter((term) => term.kind === 'text');
  const known = texts.map((term) => ({ ...term, ...knownOf(term, grams) }));
  // That the begin is there says nothing against a message.
  const indexed = known.filter(({ isWhole, strings, not }) => strings !== null && (isWhole || !not));
  const [wanted = [], unwanted = []] = [false, true].map((isNot) =>
    indexed.filter(({ not }) => not === isNot).map(({ field, strings }) => textMatch(field, strings ?? [])),
  );
  const none = unwanted.length === 0 ? '' : ` NOT (${unwanted.join(' OR ')})`;
  const all = wanted.length === 0 ? textMatch('header', [headerEnd]) : wanted.join(' AND ');
  return {
    match: indexed.length === 0 ? null : `${all}${none}`,
    columns: [...(mailbox === null ? [] : [ofMailbox(mailbox)]), ...search.flatMap(columnCondition)],
    toRead: known.filter(({ isWhole, strings }) => strings === null || !isWhole),
    hasShort: texts.some(({ text }) => !isLongEnough(text)),
    texts,
  };
}

/** One of the strings, as the index is asked for it. No string: no message. */
function textMatch(field: SearchedField, strings: readonly string[]): string {
  if (strings.length === 0) return textMatch('header', [`${headerEnd}\n`]);
  return `(${columnsOf[field]} : (${strings.map((text) => `"${text.replaceAll('"', '""')}"`).join(' OR ')}))`;
}

/** What the index knows of a text: itself, or of a header field the begin of its value; `strings` null: nothing. */
function knownOf(
  { field, text, within }: TextTerm,
  grams: Grams,
): { readonly isWhole: boolean; readonly strings: readonly string[] | null } {
  if (!isLongEnough(text)) return { isWhole: true, strings: grams(text) };
  const begin = field === 'header' ? text.slice(0, text.indexOf(': ') + 2 + indexedValueLength) : text;
  return { isWhole: begin === text && within === undefined, strings: [begin] };
}

function isLongEnough(text: string): boolean {
  return [...text].length >= shortestIndexed;
}

/** A condition as the text of SQL with what is not so turned round. */
function columnCondition(term: SearchTerm): readonly Condition[] {
  if (term.kind === 'text') return [];
  const { sql, values } = plainCondition(term);
  return [{ sql: term.not ? `NOT (${sql})` : sql, values }];
}

function plainCondition(term: Exclude<SearchTerm, TextTerm>): Condition {
  switch (term.kind) {
    case 'tag':
      return { sql: 'mails.seq IN (SELECT mail FROM mail_tags WHERE lower(tag) = ?)', values: [term.text] };
    case 'mailbox': {
      const names = 'SELECT name FROM mailboxes WHERE instr(name, ?) > 0';
      return { sql: `mails.seq IN (SELECT mail FROM messages WHERE mailbox IN (${names}))`, values: [term.text] };
    }
    case 'id': {
      const begin = term.text.toUpperCase();
      const [first, last] = placesOf(begin);
      // The + leaves the index of ids alone: it would sort what it finds.
      return {
        sql: 'mails.seq >= ? AND mails.seq <= ? AND +mails.id >= ? AND +mails.id < ?',
        values: [first, last, begin, `${begin}~`],
      };
    }
    case 'tagged':
      return { sql: 'mails.seq IN (SELECT mail FROM mail_tags)', values: [] };
    case 'read':
      return { sql: 'mails.is_read = 1', values: [] };
    case 'attachment':
      return { sql: 'mails.attachments > 0', values: [] };
    case 'quarantine': {
      const copies = "SELECT mail FROM messages WHERE key > 'quarantine/' AND key < 'quarantine0'";
      return { sql: `mails.seq IN (${copies})`, values: [] };
    }
    case 'dmarc':
      return { sql: 'mails.dmarc = ?', values: [term.result] };
    case 'before':
      return { sql: 'mails.seq < ?', values: [placeAt(term.than)] };
    case 'larger':
      return { sql: 'mails.bytes > ?', values: [term.than] };
  }
}

/** Between which places messages are whose id begins so. Where a millisecond was full, they are a little behind it. */
function placesOf(begin: string): readonly [number, number] {
  const [first, last] = ['0', 'Z'].map((rest) => firstPlaceAt(begin.padEnd(26, rest)));
  return [first ?? 0, (last ?? 0) + 1_000 * placesPerMs];
}

/** The + keeps SQLite from asking the index once for each message of the mailbox. */
function ofMailbox(mailbox: string): Condition {
  const isDomain = mailbox.startsWith('@');
  const column = isDomain ? 'domain' : 'mailbox';
  const values = [isDomain ? mailbox.slice(1) : mailbox];
  return { sql: `+mails.seq IN (SELECT mail FROM messages WHERE ${column} = ?)`, values };
}
