// Who a message says it is from: the addresses of its From fields (RFC 5322 §3.4 and §4.4: lists, groups, comments, quoted
// strings, routes). For the check of submitted mail and for DMARC, where an address overlooked is a hole:
// whatever cannot be read is answered as such, never passed over.

import { fieldsNamed, fieldText, type HeaderField } from '#mail/header/header-fields.ts';
import { isProblem } from '#mail/problem.ts';
import { type EmailAddress, parseAddress } from './address.ts';

/** What the From fields hold: how many fields there are, the addresses in order, and what could not be read. */
export type FromAddresses = {
  readonly fieldCount: number;
  readonly addresses: readonly EmailAddress[];
  readonly unreadable: readonly string[];
};

const maxAddresses = 1_000;
const maxUnreadable = 10;
const maxMailboxChars = 1_000; // bounds what the patterns below have to read

/** Reads all From fields of a header. More than a thousand addresses count as unreadable. */
export function addressesOfFrom(fields: readonly HeaderField[]): FromAddresses {
  const texts = fieldsNamed(fields, 'from').map(fieldText);
  const read = texts.map(parseAddressList);
  const addresses = read.flatMap((list) => list.addresses);
  const tooMany = addresses.length > maxAddresses ? ['too many addresses'] : [];
  return {
    fieldCount: texts.length,
    addresses: addresses.slice(0, maxAddresses),
    unreadable: [...tooMany, ...read.flatMap((list) => list.unreadable)].slice(0, maxUnreadable),
  };
}

/** Reads an address-list. Display names, group names and comments are passed over. */
export function parseAddressList(text: string): Omit<FromAddresses, 'fieldCount'> {
  const addresses: EmailAddress[] = [];
  const unreadable: string[] = [];
  for (const { before, angle, after, isBroken } of splitEntries(text)) {
    const mailbox = (angle ?? before).trim();
    if (mailbox === '' && angle === null && !isBroken) continue; // an empty list element (RFC 5322 §4.4)
    const address = isBroken || after.includes('@') ? null : readMailbox(mailbox);
    if (address !== null && !isProblem(address)) addresses.push(address);
    else unreadable.push(`${mailbox} ${after}`.trim().slice(0, 80));
  }
  return { addresses, unreadable };
}

function readMailbox(mailbox: string): ReturnType<typeof parseAddress> | null {
  return mailbox.length > maxMailboxChars ? null : parseAddress(withoutRoute(withoutSpace(mailbox)));
}

/** One entry of the list: what is in angle brackets, what stands before and after; broken where it is not well-formed. */
type Entry = { before: string; angle: string | null; after: string; isBroken: boolean };

/** How a list is read on: the entry at hand, and where in it. */
type Reading = { readonly entries: Entry[]; entry: Entry; place: 'before' | 'angle' | 'route' | 'after' };

const special = /[\\"(),:;<>[\]]/g;

/** Cuts a list into entries, one pass over the text: comments dropped, quoted strings and literals kept whole. */
function splitEntries(text: string): readonly Entry[] {
  const reading: Reading = { entries: [], entry: emptyEntry(), place: 'before' };
  for (let at = 0; at < text.length; ) {
    special.lastIndex = at;
    const next = special.exec(text)?.index ?? text.length;
    add(reading, text.slice(at, next));
    at = next < text.length ? readSpecial(reading, text, next) : next;
  }
  finish(reading);
  return reading.entries;
}

/** Takes in the special character at an index and what belongs to it; answers where to read on. */
function readSpecial(reading: Reading, text: string, at: number): number {
  const char = text[at];
  if (char === '"' || char === '[' || char === '(') {
    const end = char === '"' ? quotedEnd(text, at) : char === '[' ? literalEnd(text, at) : commentEnd(text, at);
    if (end === -1) reading.entry.isBroken = true;
    add(reading, char === '(' ? ' ' : text.slice(at, end === -1 ? undefined : end));
    return end === -1 ? text.length : end;
  }
  if (char === '<') openAngle(reading, text, at);
  else if (char === '>') closeAngle(reading);
  else if (char === ':' && reading.place === 'before') nameGroup(reading);
  else if (char === ';' || (char === ',' && reading.place !== 'route')) finish(reading);
  else add(reading, char ?? ''); // out of place perhaps: then what it stands in will not read as an address
  return at + 1;
}

function add({ entry, place }: Reading, part: string): void {
  if (place === 'before') entry.before += part;
  else if (place === 'after') entry.after += part;
  else entry.angle += part;
}

function openAngle(reading: Reading, text: string, at: number): void {
  if (reading.place !== 'before') reading.entry.isBroken = true;
  reading.entry.angle ??= '';
  reading.place = /^\s*@/.test(text.slice(at + 1, at + 40)) ? 'route' : 'angle';
}

function closeAngle(reading: Reading): void {
  if (reading.place !== 'angle' && reading.place !== 'route') reading.entry.isBroken = true;
  reading.place = 'after';
}

/** The name of a group is no address; one that looks like an address is not to be trusted. */
function nameGroup({ entry }: Reading): void {
  if (entry.before.includes('@')) entry.isBroken = true;
  entry.before = '';
}

function finish(reading: Reading): void {
  if (reading.place === 'angle' || reading.place === 'route') reading.entry.isBroken = true;
  reading.entries.push(reading.entry);
  reading.entry = emptyEntry();
  reading.place = 'before';
}

function emptyEntry(): Entry {
  return { before: '', angle: null, after: '', isBroken: false };
}

/** Behind the closing quote; -1 where there is none. So with the two below. */
function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return -1;
}

function literalEnd(text: string, start: number): number {
  const end = text.indexOf(']', start);
  return end === -1 ? -1 : end + 1;
}

/** Comments nest (RFC 5322 §3.2.2). */
function commentEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return at + 1;
  }
  return -1;
}

/** White space between the parts of an address is allowed (RFC 5322 §4.4); within quotes it belongs to them. */
function withoutSpace(mailbox: string): string {
  return mailbox
    .replace(
      // A run of spaces is looked at from its beginning only: linear time.
      /("(?:[^"\\]|\\.)*")|(?<![ \t])[ \t]*([.@])[ \t]*/gs,
      (_, quotes: string | undefined, mark: string) => quotes ?? mark,
    )
    .trim();
}

function withoutRoute(mailbox: string): string {
  return mailbox.startsWith('@') ? mailbox.slice(mailbox.indexOf(':') + 1) : mailbox;
}
