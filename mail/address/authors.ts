// Who a message says it is from: all that its From fields show, to any program (RFC 5322 §3.6.2; RFC 9989 for whom it matters).
// The judge, the inbox message and the check of submitted mail ask here, and so see the same authors.
import { isUtf8 } from 'node:buffer';
import { decodeEightBit, decodeWords } from '#mail/header/decode-text.ts';
import { fieldsNamed, fieldText, fieldValue, type HeaderField, unfold } from '#mail/header/header-fields.ts';
import type { Header } from '#mail/header/read-header.ts';
import type { Domain, EmailAddress } from './address.ts';
import { type ListEntry, type ListLimits, listLimits, parseAddressList } from './address-list.ts';
import { domainsMentioned } from './domains-mentioned.ts';
import { textOf } from './lex-addresses.ts';

/** The authors of a header. */
export type Authors = Pick<Header, 'isAuthorHidden'> & {
  /** How many From fields there are (RFC 5322 §3.6: one). */
  readonly fieldCount: number;
  /** The entries of all From fields in order, and the addresses that they name. */
  readonly entries: readonly ListEntry[];
  readonly addresses: readonly EmailAddress[];
  /** The domains of all that may be taken for an author, each once; the first is that of the first address. */
  readonly domains: readonly Domain[];
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
    for (const { domain } of list.entries.flatMap(addressesOf)) domains.add(domain);
    if (listDoubts.length > 0)
      mentioned.push(text, ...(isUtf8(fieldValue(field)) ? [] : [text.replace(/[^ -~]/g, '')]));
    const below = linesBelow(field, lookalikes);
    if (below.length > 0) mentioned.push([text, ...below].join(' '));
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
    isAuthorHidden,
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
    ...(hasListInWord(text, entries) ? ['an encoded word holds an address of its own'] : []),
    ...(hasUnreadableOctets(field, entries) ? ['an address has octets that are not UTF-8'] : []),
    ...(foldedPieces(field).length > 0 && entries.some(hidesAddress)
      ? ['an address in quotes or parentheses goes over two lines']
      : []),
  ].map((doubt) => `From cannot be read for sure: ${doubt}`);
}

function hidesAddress({ tokens }: ListEntry): boolean {
  return tokens.some(({ kind, text }) => (kind === 'q' || kind === 'c') && text.includes('@'));
}

/** Lines right behind a field that are none: Email::Simple (Perl) joins them to it. */
function linesBelow(field: HeaderField, lookalikes: readonly HeaderField[]): readonly string[] {
  let end = field.offset + field.bytes;
  return lookalikes.flatMap(({ offset, bytes, raw }) => {
    if (offset !== end) return [];
    end += bytes;
    const { text } = decodeEightBit(raw);
    return /^(?:[\s:]|[^:\r\n]*[\r\n])/.test(text) ? [unfold(text)] : [];
  });
}

/** `=?utf-8?q?ceo=40b.example=2C?= <x@a.example>`: to whoever decodes first, the word holds an author of its own. */
function hasListInWord(text: string, entries: readonly ListEntry[]): boolean {
  const decoded = decodeWords(text);
  if (decoded === text) return false;
  const known = new Set(entries.flatMap(addressesOf).map(({ domain }) => domain));
  const isKnown = ({ domain }: EmailAddress): boolean => known.has(domain);
  return parseAddressList(decoded).entries.some((entry) => {
    // Many senders have an address in their name, in front of the one in brackets.
    const isNamed = entry.tokens.some(({ kind }) => kind === '<') && entry.others.some(isKnown);
    if (isNamed || (entry.address !== null && isKnown(entry.address))) return false;
    const mentioned = domainsMentioned(textOf(entry.tokens));
    return mentioned.some((domain) => domain !== null && !known.has(domain));
  });
}

function addressesOf({ address, others }: ListEntry): readonly EmailAddress[] {
  return address === null ? others : [address, ...others];
}

/** Some programs read them as one character or another, some drop them. */
function hasUnreadableOctets(field: HeaderField, entries: readonly ListEntry[]): boolean {
  return entries.some(({ written }) => /[^ -~]/.test(written)) && !isUtf8(fieldValue(field));
}

/**
 * The quoted strings and comments of a field that go over two lines. Python's email package takes the end of a line for theirs,
 * and then an address in one of them for the author.
 */
export function foldedPieces({ raw }: Pick<HeaderField, 'raw'>): readonly string[] {
  const text = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1');
  if (!/[\r\n][ \t]/.test(text) || !/["(]/.test(text)) return [];
  const tokens = parseAddressList(text.slice(text.indexOf(':') + 1)).entries.flatMap((entry) => entry.tokens);
  return tokens.flatMap(({ kind, text }) => ((kind === 'q' || kind === 'c') && /[\r\n]/.test(text) ? [text] : []));
}
