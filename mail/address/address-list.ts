// The one reading of an address-list: From, To, Cc and the like (RFC 5322 §3.4, §4.4: groups, routes, comments, quoted strings;
// RFC 6531: UTF-8). Linear and total: any text is a list. Programs disagree about what is not written by the grammar, so
// each entry has all that it may be taken for, and says if it can be read in one way only.
import { isProblem } from '#mail/problem.ts';
import { type EmailAddress, parseAddress } from './address.ts';
import { domainsMentioned } from './domains-mentioned.ts';
import {
  addressAt,
  commentText,
  isBlank,
  isPart,
  joined,
  marksIn,
  shownText,
  type Token,
  textOf,
  tokenAt,
} from './lex-addresses.ts';

/** One entry of a list. */
export type ListEntry = {
  /** The name of the group that it stands in, or null. */
  readonly group: string | null;
  /** The display name, or if there is none the comment; without quotes, encoded words as they stand. */
  readonly name: string;
  /** The address as it stands there, without blanks and comments; empty if there is none, or more than one without brackets. */
  readonly written: string;
  /** The address, if `written` is one. */
  readonly address: EmailAddress | null;
  /** The other addresses that some programs read instead: `ceo@b.example <x@a.example>`. */
  readonly others: readonly EmailAddress[];
  /** Why some programs may show an address of another domain, or another address; null if none does. */
  readonly doubt: string | null;
  readonly tokens: readonly Token[];
};

/** A list. `isCut`: it has more entries or characters than the limits, and the rest was not read. */
export type AddressList = {
  readonly entries: readonly ListEntry[];
  readonly isCut: boolean;
  /** Whether all is written as senders must (§3.4): no group, no route, no element without an address. */
  readonly hasObsoleteForm: boolean;
};

export type ListLimits = { readonly entries: number; readonly chars: number };

/** What is read of a list, unless the caller wants less. */
export const listLimits: ListLimits = { entries: 1_000, chars: 1_048_576 };

const maxOthers = 1_000;
const maxChars = 1_000; // of a text that may be an address
const unsure = 'it holds something like another address';
const deep = 'an address stands in a comment that goes on behind a parenthesis';
const openWord = 'an encoded word in it has characters that it must not have';
/** Encoded words (RFC 2047 §2) within one piece: without blanks. */
const wholeWords = /=\?[^?]+\?[bq]\?[^?]*\?=/gi;

type Reading = {
  readonly entries: ListEntry[];
  tokens: Token[];
  group: string | null;
  /** Where in the entry: before brackets, right behind `<`, in a route, in brackets, behind `>`. */
  place: 'before' | 'open' | 'route' | 'angle' | 'after';
  /** A colon of this entry was looked at, and is not behind the name of a group. */
  hasColon: boolean;
  hasObsoleteForm: boolean;
};

/** Reads the unfolded value of an address field. */
export function parseAddressList(text: string, limits: ListLimits = listLimits): AddressList {
  const reading: Reading = {
    entries: [],
    tokens: [],
    group: null,
    place: 'before',
    hasColon: false,
    hasObsoleteForm: false,
  };
  const end = Math.min(text.length, limits.chars);
  let isDomain = false;
  let at = 0;
  while (at < end && reading.entries.length <= limits.entries) {
    const token = tokenAt(text, at, isDomain);
    at += token.text.length;
    if (token.kind !== 's' && token.kind !== 'c') isDomain = token.kind === '@';
    take(reading, token);
  }
  finish(reading);
  const isCut = end < text.length || reading.entries.length > limits.entries;
  const { entries, hasObsoleteForm } = reading;
  return { entries: entries.slice(0, limits.entries), isCut, hasObsoleteForm };
}

function take(reading: Reading, token: Token): void {
  const { kind } = token;
  if (kind === ';' || (kind === ',' && reading.place !== 'route')) {
    finish(reading);
    if (kind === ';') reading.group = null;
    reading.hasObsoleteForm ||= kind === ';';
    return;
  }
  if (kind === ':' && reading.place === 'before' && beginGroup(reading)) return;
  reading.tokens.push(token);
  if (kind === '<') reading.place = 'open';
  else if (kind === '>') reading.place = 'after';
  else if (kind === ':' && reading.place === 'route') reading.place = 'angle';
  else if (reading.place === 'open' && !isBlank(token)) {
    reading.place = kind === '@' ? 'route' : 'angle';
    reading.hasObsoleteForm ||= kind === '@';
  }
}

/** The name of a group is no address; what looks like one is not taken for a name. */
function beginGroup(reading: Reading): boolean {
  if (reading.group !== null || reading.hasColon) return false;
  reading.hasColon = domainsMentioned(textOf(reading.tokens)).length > 0;
  if (reading.hasColon) return false;
  reading.group = shownText(reading.tokens);
  reading.tokens = [];
  reading.hasObsoleteForm = true;
  return true;
}

function finish(reading: Reading): void {
  const { tokens, group } = reading;
  // mailparser takes an element that is only a comment for an address, if it holds one.
  const isEmpty = tokens.every((token) => isBlank(token) && !token.text.includes('@'));
  if (isEmpty) reading.hasObsoleteForm = true;
  else reading.entries.push(readEntry(tokens, group));
  reading.tokens = [];
  reading.place = 'before';
  reading.hasColon = false;
}

function readEntry(tokens: readonly Token[], group: string | null): ListEntry {
  const open = tokens.findIndex(({ kind }) => kind === '<');
  const { written, others, shown, oddity } = open === -1 ? readBare(tokens) : readAngle(tokens, open);
  const name = shownText(shown) || commentText(tokens);
  const parsed = written === '' ? null : parseAddress(withQuotes(written));
  const address = isProblem(parsed) ? null : parsed;
  const hasBrackets = tokens.some(({ kind, text }) => kind === 'w' && /[[\]]/.test(text));
  const hasOpenWord = tokens.some(({ kind, text }) => kind === 'w' && text.replace(wholeWords, '').includes('=?'));
  const odd =
    oddity ??
    (hasBrackets ? 'brackets stand in its name' : hasOpenWord ? openWord : tokens.some(isDeepComment) ? deep : null);
  const unreadable = isProblem(parsed) && mayShowOthers(tokens, null) ? parsed.problem : null;
  const unclear = unreadable ?? (address && whyUnclear(written, address));
  const isElsewhere = others.some(({ domain }) => domain !== address?.domain);
  const doubt = isElsewhere || (odd !== null && mayShowOthers(tokens, address)) ? (odd ?? unsure) : null;
  return { group, name, written, address, others, doubt: unclear ?? doubt, tokens };
}

/** `ann..lee.@a.example` is no dot-atom, but some providers gave such addresses to people, and all programs show them. */
function withQuotes(written: string): string {
  return written.replace(/^(?=\.|[^"@]*\.[.@])[\w.+-]+(?=@[^@]*$)/, '"$&"');
}

/**
 * Whether an odd entry may show somebody else to who cuts it in another way: an address in quotes or comments, one of another
 * domain, or one that grows together with the words beside it.
 */
function mayShowOthers(tokens: readonly Token[], address: EmailAddress | null): boolean {
  const domains = domainsMentioned(textOf(tokens));
  if (address === null) return domains.length > 0;
  const isHidden = tokens.some(({ kind, text }) => (kind === 'q' || kind === 'c') && text.includes('@'));
  if (isHidden || domains.some((domain) => domain !== address.domain)) return true;
  const [open = -1, close = -1] = ['<', '>'].map((mark) => tokens.findIndex(({ kind }) => kind === mark));
  if (open === -1) return false;
  const isOpenTwice = tokens.findLastIndex(({ kind }) => kind === '<') > open;
  const isJoined = isOpenTwice && !tokens.slice(close).every((token) => isBlank(token) || token.kind === '>');
  return isJoined || isCrowded(tokens.slice(0, open)) || isCrowded(tokens.slice(close));
}

/** mailparser ends a comment at its first parenthesis, and reads on there. */
function isDeepComment({ kind, text }: Token): boolean {
  return kind === 'c' && text.slice(text.indexOf(')')).includes('@');
}

/** `ceo@b.co m <x@b.co>`: Python's email package shows ceo@b.com. */
function isCrowded(tokens: readonly Token[]): boolean {
  const [mark] = marksIn(tokens);
  if (mark === undefined) return false;
  const behind = tokens.slice(addressAt(tokens, mark).to);
  return !behind.every((token) => isBlank(token) || token.kind === '>');
}

type Read = Pick<ListEntry, 'written' | 'others'> & {
  /** The pieces of its name, and what about its form is not by the grammar. */
  readonly shown: readonly Token[];
  readonly oddity: string | null;
};

/** An entry without brackets: an address, perhaps with words before it. */
function readBare(tokens: readonly Token[]): Read {
  const marks = marksIn(tokens);
  const [mark] = marks;
  const oddity = 'it has no address';
  const nowhere = { written: '', others: addressesAt(tokens, marks).addresses, shown: tokens };
  if (mark === undefined) {
    const isOpen = tokens.some(({ kind, text }) => kind === 'x' && text.includes('@'));
    return isOpen ? { ...nowhere, written: joined(tokens), shown: [], oddity } : { ...nowhere, oddity };
  }
  if (marks.length > 1) return { ...nowhere, oddity: 'it has more than one address' };
  const { from, to, text, short } = addressAt(tokens, mark);
  if (text.startsWith('@') || text.endsWith('@')) return { ...nowhere, oddity };
  const [before, behind] = [tokens.slice(0, from), tokens.slice(to)];
  if (!behind.every((token) => isBlank(token) || token.kind === '>'))
    return { ...nowhere, oddity: 'something stands behind its address' };
  const isWhole = before.every(isBlank) && behind.every(isBlank);
  const beside = isWhole ? null : 'something stands beside its address, which has no brackets';
  const cut = readIfDotted([short, upToAscii(text)].filter((other) => other !== text));
  return { written: text, others: cut.addresses, shown: before, oddity: cut.oddity ?? beside };
}

/** mailparser ends an address without brackets at its last ASCII letter. */
function upToAscii(text: string): string {
  return /[^ -~]$/.test(text) ? text.slice(0, maxChars).replace(/\W+$/, '') : text;
}

/** An entry with its address in brackets: what stands before them is its name. */
function readAngle(tokens: readonly Token[], open: number): Read {
  const before = tokens.slice(0, open);
  const close = tokens.findIndex(({ kind }, index) => kind === '>' && index > open);
  const inner = tokens.slice(open, close === -1 ? undefined : close).filter(({ kind }) => kind !== '<');
  const content = withoutRoute(inner);
  const behind = close === -1 ? [] : tokens.slice(close + 1);
  const marks = marksIn(content);
  const at = marks.length === 1 ? addressAt(content, marks[0] ?? 0) : null;
  const isWhole = at !== null && [...content.slice(0, at.from), ...content.slice(at.to)].every(isBlank);
  const first = addressesAt(before, marksIn(before));
  const cut = readIfDotted(at === null || at.short === at.text ? [] : [at.short]);
  const others = [...first.addresses, ...cut.addresses, ...addressesAt(behind, marksIn(behind)).addresses];
  const isBroken =
    close === -1 ||
    tokens.filter(({ kind }) => kind === '<' || kind === '>').length !== 2 ||
    before.some(({ kind }) => kind === 'x' || kind === ':') ||
    !behind.every(isBlank);
  const second = others.length > 0 ? 'it has another address beside the one in brackets' : (first.oddity ?? cut.oddity);
  const oddity = isBroken || !isWhole ? 'its brackets do not hold one address' : second;
  return { written: isWhole ? at.text : joined(content), others, shown: before, oddity };
}

/** RFC 5322 §4.4: `@a.example,@b.example:` before an address is to be ignored. */
function withoutRoute(content: readonly Token[]): readonly Token[] {
  const colon = content.findIndex(({ kind }) => kind === ':');
  const route = content.slice(0, Math.max(colon, 0));
  const isRoute =
    route.find(({ kind }) => kind !== 's')?.kind === '@' &&
    route.every((token) => isPart(token, 's@wl,') && !token.text.includes('=?'));
  return isRoute ? content.slice(colon + 1) : content;
}

type OtherAddresses = { readonly addresses: readonly EmailAddress[]; readonly oddity: string | null };

function addressesAt(tokens: readonly Token[], marks: readonly number[]): OtherAddresses {
  const read = readIfDotted(marks.slice(0, maxOthers).map((mark) => addressAt(tokens, mark).text));
  return marks.length > maxOthers ? { ...read, oddity: unsure } : read;
}

/** Some texts as addresses. "Ann @ Acme" is a name: nobody takes a domain without a dot for an author's. */
function readIfDotted(texts: readonly string[]): OtherAddresses {
  const read = texts.filter((text) => /\.[^@]/.test(text.slice(text.lastIndexOf('@')))).map(parseAddress);
  const addresses = read.flatMap((address) => (isProblem(address) ? [] : [address]));
  return { addresses, oddity: addresses.length === read.length ? null : unsure };
}

const unseen = /[\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]/u;

/** Why some programs decode, cut or mend an address, and others do not; or null. */
export function whyUnclear(written: string, address: EmailAddress): string | null {
  if (/[@<>,;]/.test(address.localPart) || /=\?|\?=/.test(written))
    return 'its address can be read in more than one way';
  return !/^[ -~]*$/.test(written) && unseen.test(written.replaceAll(' ', ''))
    ? 'its address has characters that cannot be seen'
    : null;
}
