// A search of mail as SQL: what the full-text index answers, what columns say, and what has to be read, since the index (of trigrams, of
// the begin of a header field) does not know it.

import type { Search, SearchedField, SearchTerm } from '#ops/messages/search-query.ts';
import { placeAt } from './mail-order.ts';
import { indexedValueLength } from './mail-text.ts';

/** A condition on `mails`, and the values of its question marks. */
type Condition = { readonly sql: string; readonly values: readonly (string | number)[] };

type TextTerm = Extract<SearchTerm, { readonly kind: 'text' }>;

/**
 * `match`: for the index, null if it has nothing to say. `columns`: hold for any message. `except`: what the index says against
 * indexed messages, where `match` is null. `toRead`: the texts that only reading finds, or tells for sure; `texts`: all that are asked for.
 */
export type SearchSql = {
  readonly match: string | null;
  readonly columns: readonly Condition[];
  readonly except: Condition | null;
  readonly toRead: readonly TextTerm[];
  readonly texts: readonly TextTerm[];
};

const shortestIndexed = 3;
const columnsOf: Readonly<Record<SearchedField, string>> = {
  any: '{sender recipients subject other}',
  from: 'sender',
  to: 'recipients',
  subject: 'subject',
  header: 'header',
};

/** `mailbox`: `local@domain`, or `@domain` for all of a domain; null: any. */
export function searchSql(search: Search, mailbox: string | null): SearchSql {
  const texts = search.filter((term) => term.kind === 'text');
  const known = texts.map((term) => ({ ...term, known: knownText(term) }));
  const indexed = known.filter(({ known, text, not }) => isLongEnough(known) && (known === text || !not));
  const [wanted, unwanted] = [indexed.filter(({ not }) => !not), indexed.filter(({ not }) => not)].map((terms) =>
    terms.map(({ field, known }) => `(${columnsOf[field]} : "${known.replaceAll('"', '""')}")`),
  );
  const all = wanted?.join(' AND ') ?? '';
  const none = unwanted?.join(' OR ') ?? '';
  return {
    match: all === '' ? null : `${all}${none === '' ? '' : ` NOT (${none})`}`,
    except:
      all !== '' || none === ''
        ? null
        : { sql: 'mails.seq NOT IN (SELECT rowid FROM mail_text WHERE mail_text MATCH ?)', values: [none] },
    columns: [...(mailbox === null ? [] : [ofMailbox(mailbox)]), ...search.flatMap(columnCondition)],
    toRead: known.filter(({ known, text }) => !isLongEnough(known) || known !== text),
    texts,
  };
}

/** What the index knows of a text: of a header field, the begin of its value. */
function knownText({ field, text }: TextTerm): string {
  return field === 'header' ? text.slice(0, text.indexOf(': ') + 2 + indexedValueLength) : text;
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
      const first = term.text.toUpperCase();
      return { sql: 'mails.id >= ? AND mails.id < ?', values: [first, `${first}~`] };
    }
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

/** The + keeps SQLite from asking the index once for each message of the mailbox. */
function ofMailbox(mailbox: string): Condition {
  const isDomain = mailbox.startsWith('@');
  const column = isDomain ? 'domain' : 'mailbox';
  const values = [isDomain ? mailbox.slice(1) : mailbox];
  return { sql: `+mails.seq IN (SELECT mail FROM messages WHERE ${column} = ?)`, values };
}
