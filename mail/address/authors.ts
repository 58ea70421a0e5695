// Who a message says it is from: all that its From fields show, to any program (RFC 5322 §3.6.2; RFC 9989 for whom it matters).
// The judge, the inbox message and the check of submitted mail ask here, and so see the same authors.
import { isUtf8 } from 'node:buffer';
import { decodeWords } from '#mail/header/decode-text.ts';
import { fieldsNamed, fieldText, fieldValue, type HeaderField } from '#mail/header/header-fields.ts';
import type { Header } from '#mail/header/read-header.ts';
import type { Domain, EmailAddress } from './address.ts';
import { type ListEntry, type ListLimits, listLimits, parseAddressList } from './address-list.ts';
import { domainsMentioned } from './domains-mentioned.ts';

/** The authors of a header. */
export type Authors = {
  /** How many From fields there are (RFC 5322 §3.6: one). */
  readonly fieldCount: number;
  /** The entries of all From fields in order, and the addresses that they name. */
  readonly entries: readonly ListEntry[];
  readonly addresses: readonly EmailAddress[];
  /** The domains of all that may be taken for an author, each once; the first is that of the first address. */
  readonly domains: readonly Domain[];
  /** If others may be shown who were not read. */
  readonly mayBeMore: boolean;
  /** Why it cannot be told for sure who wrote it, a sentence each; empty if it can. */
  readonly doubts: readonly string[];
};

const maxDomains = 1_000;
const maxDoubts = 20;

/** Reads all From fields of a header to their end. More entries than the limit are a doubt. */
export function authorsOf(
  {
    fields,
    lookalikes,
    problems,
    isAuthorHidden,
  }: Pick<Header, 'fields' | 'lookalikes' | 'problems' | 'isAuthorHidden'>,
  limits: ListLimits = listLimits,
): Authors {
  const from = fieldsNamed(fields, 'from');
  const doubts = problems.filter(({ isAuthorDoubtful }) => isAuthorDoubtful).map(({ detail }) => detail);
  const entries: ListEntry[] = [];
  const domains = new Set<Domain>();
  const mentioned: string[] = [];
  for (const field of from) {
    const text = fieldText(field);
    const list = parseAddressList(text, limits);
    const listDoubts = doubtsOf(field, text, list);
    const shown = list.entries.flatMap(({ address, others }) => (address === null ? others : [address, ...others]));
    for (const { domain } of shown) domains.add(domain);
    if (listDoubts.length > 0)
      mentioned.push(text, ...(isUtf8(fieldValue(field)) ? [] : [text.replace(/[^ -~]/g, '')]));
    doubts.push(...listDoubts);
    entries.push(...list.entries);
  }
  for (const domain of [...mentioned, ...lookalikes.map(fieldText)].flatMap(domainsMentioned)) {
    if (domain !== null) domains.add(domain);
  }
  return {
    fieldCount: from.length,
    entries,
    addresses: entries.flatMap(({ address }) => address ?? []),
    domains: [...domains].slice(0, maxDomains),
    mayBeMore: isAuthorHidden,
    doubts: [...new Set(doubts)].slice(0, maxDoubts),
  };
}

function doubtsOf(
  field: HeaderField,
  text: string,
  { entries, isCut }: ReturnType<typeof parseAddressList>,
): readonly string[] {
  return [
    ...entries.flatMap(({ doubt }) => doubt ?? []),
    ...(isCut ? ['the From field has more addresses than are read'] : []),
    ...(isWordParted(text, entries) ? ['an encoded word goes over two addresses'] : []),
    ...(hasUnreadableOctets(field, entries) ? ['an address has octets that are not UTF-8'] : []),
    ...(foldedPieces(field).some((piece) => piece.includes('@'))
      ? ['an address in quotes or parentheses goes over two lines']
      : []),
  ].map((doubt) => `From cannot be read for sure: ${doubt}`);
}

/** `=?utf-8?q?ceo=40b.example,?= <x@a.example>`: who decodes first sees an address that stands in none of the entries. */
function isWordParted(text: string, entries: readonly ListEntry[]): boolean {
  if (!text.includes('=?')) return false;
  const read = entries.flatMap(({ tokens }) => domainsMentioned(tokens.map((token) => token.text).join('')));
  const known = new Set(read);
  return domainsMentioned(decodeWords(text)).some((domain) => domain !== null && !known.has(domain));
}

/** Some programs read them as one character or another, some drop them. */
function hasUnreadableOctets(field: HeaderField, entries: readonly ListEntry[]): boolean {
  return entries.some(({ written }) => /[^ -~]/.test(written)) && !isUtf8(fieldValue(field));
}

/**
 * The quoted strings and comments of a field that go over two lines. Python's email package takes the end of a line for theirs:
 * an address in one counts there.
 */
export function foldedPieces({ raw }: Pick<HeaderField, 'raw'>): readonly string[] {
  const text = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1');
  if (!/[\r\n][ \t]/.test(text) || !/["(]/.test(text)) return [];
  const tokens = parseAddressList(text.slice(text.indexOf(':') + 1)).entries.flatMap((entry) => entry.tokens);
  return tokens.flatMap(({ kind, text }) => ((kind === 'q' || kind === 'c') && /[\r\n]/.test(text) ? [text] : []));
}
