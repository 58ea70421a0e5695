// Who a reader may take for the author of a message that we send on for a user: all addresses of an author field (From,
// Sender and the like, RFC 5322 §3.6.2), those that only its display names and comments hold among them. Reads the
// grammar that senders must write (§3.4) and nothing of the obsolete one (§4.4): programs disagree about that, and
// where one sees the sender, another sees a second author.

import { isProblem, type Problem, problem } from '#mail/problem.ts';
import { type EmailAddress, parseAddress } from './address.ts';
import { readingsOf } from './shown-words.ts';

/** The addresses that mail goes back to, and those that display names and comments show besides. */
export type ShownAuthors = { readonly mailboxes: readonly EmailAddress[]; readonly named: readonly EmailAddress[] };

const maxAuthors = 100;
const maxChars = 65_536;

/** Reads the unfolded value of an author field; a Problem where it can be read in more than one way, or not at all. */
export function readShownAuthors(text: string): ShownAuthors | Problem {
  if (text.length > maxChars) return problem('it is too long');
  const tokens = tokensOf(text);
  if (tokens === null) return problem('it is not a list of addresses');
  const entries = entriesOf(tokens);
  if (entries.length > maxAuthors) return problem(`it has more than ${maxAuthors} authors`);
  const mailboxes: EmailAddress[] = [];
  const named: EmailAddress[] = [];
  for (const entry of entries) {
    const mailbox = mailboxOf(entry);
    if (isProblem(mailbox)) return mailbox;
    const others = addressesIn(shownBy(entry));
    if (isProblem(others)) return others;
    const hasNested = entry.some(({ kind, text }) => kind === 'c' && text.indexOf('(', 1) > 0);
    // Some programs drop the parentheses within a comment, some what they hold: what stands around it grows together.
    if (hasNested && others.length > 0) return problem('a comment with an address in it has another one within');
    mailboxes.push(mailbox);
    named.push(...others);
  }
  return { mailboxes, named };
}

/** A piece of the field. `kind` is one letter, so that the form of an entry can be told by a pattern. */
type Token = { readonly kind: 's' | 'c' | 'q' | 'w' | '@' | '<' | '>' | ','; readonly text: string };

const space = /[ \t]+/y;
const quotedString = /"(?:[^"\\]|\\.)*"/suy;
const word = /[^ \t"(),:;<>@\\]+/uy;
const mark = /[@<>,]/y;

/** Null where something stands there that has no place in such a field: a group, a route, a stray bracket. */
function tokensOf(text: string): readonly Token[] | null {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const token = tokenAt(text, at);
    if (token === null) return null;
    tokens.push(token);
    at += token.text.length;
  }
  return tokens;
}

function tokenAt(text: string, at: number): Token | null {
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  if (text[at] === '(') {
    const end = commentEnd(text, at);
    return end === -1 ? null : { kind: 'c', text: text.slice(at, end) };
  }
  const found = match(word);
  if (found !== undefined) return { kind: 'w', text: found };
  const blank = match(space);
  if (blank !== undefined) return { kind: 's', text: blank };
  const quoted = match(quotedString);
  if (quoted !== undefined) return { kind: 'q', text: quoted };
  const sign = match(mark);
  if (sign === '@' || sign === '<' || sign === '>' || sign === ',') return { kind: sign, text: sign };
  return null;
}

/** Behind the closing parenthesis; comments nest (RFC 5322 §3.2.2). -1: it is never closed. */
function commentEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return at + 1;
  }
  return -1;
}

function entriesOf(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const entries: Token[][] = [[]];
  for (const token of tokens) {
    if (token.kind === ',') entries.push([]);
    else entries.at(-1)?.push(token);
  }
  return entries;
}

const nameAndAddress = /^[scwq]*<[wq]@w>[sc]*$/;
/** Many programs set the address before itself, unquoted: whichever of the two is read, both are looked at. */
const addressTwice = /^s*w@ws*<[wq]@w>[sc]*$/;
const bareAddress = /^[sc]*[wq]@w[sc]*$/;

/** The one address of an entry: nothing within it but itself, and nothing that could be decoded into something else. */
function mailboxOf(entry: readonly Token[]): EmailAddress | Problem {
  const form = entry.map(({ kind }) => kind).join('');
  if (![nameAndAddress, addressTwice, bareAddress].some((pattern) => pattern.test(form))) {
    return problem('it is not a list of addresses');
  }
  const at = form.lastIndexOf('@');
  const text = [entry[at - 1], entry[at], entry[at + 1]].map((token) => token?.text ?? '').join('');
  const address = parseAddress(text);
  if (isProblem(address)) return address;
  const isClear = !/[@<>,;]|=\?|\?=/.test(address.localPart) && !/=\?|\?=/.test(text);
  return isClear ? address : problem('an address in it can be read in more than one way');
}

/**
 * What a reader shows of an entry beside its address: display name and comments, quotes and backslashes taken off. Some programs show
 * both, some one of them, and then what stood on either side of a comment stands together.
 */
function shownBy(entry: readonly Token[]): readonly string[] {
  const open = entry.findIndex(({ kind }) => kind === '<');
  const shown = (kinds: string): string =>
    entry
      .map(({ kind, text }, index) => {
        if (kind === 's') return ' ';
        if (!kinds.includes(kind)) return '';
        if (kind === 'c') return ` ${unescaped(text)} `;
        if (index >= open) return ''; // the address; without brackets there is no name
        return kind === 'q' ? unescaped(text) : text;
      })
      .join('');
  return entry.some(({ kind }) => kind === 'c') ? [shown('cqw@'), shown('qw@'), shown('c')] : [shown('qw@')];
}

function unescaped(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gsu, '$1');
}

/** All that looks like an address in some texts; a Problem where it cannot be told. Programs decode where they should not, too. */
function addressesIn(texts: readonly string[]): readonly EmailAddress[] | Problem {
  const addresses: EmailAddress[] = [];
  for (const text of texts) {
    const readings = readingsOf(text);
    if (isProblem(readings)) return readings;
    for (const reading of readings) {
      const found = addressesWithin(reading);
      if (isProblem(found)) return found;
      addresses.push(...found);
    }
  }
  return addresses;
}

function addressesWithin(text: string): readonly EmailAddress[] | Problem {
  const addresses: EmailAddress[] = [];
  const plain = text.normalize('NFKC').replace(/\p{Cf}/gu, '');
  for (let at = plain.indexOf('@'); at >= 0; at = plain.indexOf('@', at + 1)) {
    const { local, domain, isApart, behind } = around(plain, at);
    if (/^[\s()"]+\.\S/.test(behind)) return problem('its display name looks like an address'); // blanks may part a domain (§4.4)
    // "Ann @ Acme" and "@ann" are names; with a dot behind the sign it reads as an address.
    if ((isApart || local === '') && !domain.includes('.')) continue;
    const isShort = local.length + domain.length <= maxShownChars;
    const address = isShort ? parseAddress(`${withoutQuotes(local)}@${withoutQuotes(domain)}`) : tooLong;
    if (isProblem(address)) return problem('its display name looks like an address');
    addresses.push(address);
  }
  return addresses;
}

const maxShownChars = 1_000;
const tooLong = problem('it is too long');
const blank = /[ \t]/;
const delimiter = /[ \t\r\n"(),:;<>[\]\\@]/;

/** What stands before and behind an @, blanks next to it passed over (`isApart`). Each character is looked at twice at most. */
function around(
  text: string,
  at: number,
): { readonly local: string; readonly domain: string; readonly isApart: boolean; readonly behind: string } {
  let [end, start] = [at, at + 1];
  while (blank.test(text.charAt(end - 1))) end--;
  while (blank.test(text.charAt(start))) start++;
  let [from, to] = [end, start];
  while (from > 0 && !delimiter.test(text.charAt(from - 1))) from--;
  while (to < text.length && !delimiter.test(text.charAt(to))) to++;
  const isApart = end < at || start > at + 1;
  return { local: text.slice(from, end), domain: text.slice(start, to), isApart, behind: text.slice(to, to + 100) };
}

/** People set addresses in quotes of all kinds, and end sentences with them. */
function withoutQuotes(text: string): string {
  return text.replace(/^['`*\u2018-\u201f\u00ab\u00bb]+|['`*.!?\u2018-\u201f\u00ab\u00bb]+$/gu, '');
}
