// Who a message says it is from: the addresses of its From fields (RFC 5322 §3.4 and §4.4: lists, groups, comments, quoted
// strings, routes). For the check of submitted mail and for DMARC, where an address overlooked is a hole:
// whatever cannot be read is answered as such, never passed over.
import { type EmailAddress, parseAddress } from './address.ts';
import { fieldsNamed, fieldText, type HeaderField } from './header-fields.ts';
import { isProblem } from './problem.ts';

/** What the From fields hold: how many fields there are, the addresses in order, and what could not be read. */
export type FromAddresses = {
  readonly fieldCount: number;
  readonly addresses: readonly EmailAddress[];
  readonly unreadable: readonly string[];
};

const maxAddresses = 1_000;
const maxUnreadable = 10;

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
  for (const entry of splitEntries(text)) {
    const mailbox = entry.angle ?? entry.plain.trim();
    if (mailbox === '') continue;
    const address = entry.isBroken ? null : parseAddress(withoutRoute(withoutSpace(mailbox)));
    if (address !== null && !isProblem(address)) addresses.push(address);
    else unreadable.push(mailbox.slice(0, 80));
  }
  return { addresses, unreadable };
}

/** One entry of the list: what is in angle brackets, what is outside of them; broken where there are two of the former. */
type Entry = { plain: string; angle: string | null; isBroken: boolean };

const special = /[\\"(),:;<>[\]]/g;

/** Cuts a list into entries, one pass over the text: comments dropped, quoted strings and literals kept whole. */
function splitEntries(text: string): Entry[] {
  const entries: Entry[] = [];
  let entry: Entry = { plain: '', angle: null, isBroken: false };
  let isInAngle = false;
  const add = (part: string) => {
    if (isInAngle) entry.angle += part;
    else entry.plain += part;
  };
  const finish = () => {
    if (isInAngle) entry.isBroken = true;
    isInAngle = false;
    entries.push(entry);
    entry = { plain: '', angle: null, isBroken: false };
  };
  for (let at = 0; at < text.length; ) {
    special.lastIndex = at;
    const next = special.exec(text)?.index ?? text.length;
    add(text.slice(at, next));
    const char = text[next];
    at = next + 1;
    if (char === '"' || char === '[') {
      const end = char === '"' ? quotedEnd(text, next) : literalEnd(text, next);
      add(text.slice(next, end));
      at = end;
    } else if (char === '(') {
      at = commentEnd(text, next);
      add(' ');
    } else if (char === '<') {
      if (entry.angle !== null || isInAngle) entry.isBroken = true;
      entry.angle ??= '';
      isInAngle = true;
    } else if (char === '>') {
      if (!isInAngle) entry.isBroken = true;
      isInAngle = false;
    } else if ((char === ',' && !(isInAngle && entry.angle?.trimStart().startsWith('@'))) || char === ';') {
      finish();
    } else if (char === ':' && !isInAngle) {
      // The name of a group: what stood before is no address.
      if (entry.angle !== null) entry.isBroken = true;
      else entry.plain = '';
    } else if (char !== undefined) {
      add(char);
    }
  }
  finish();
  return entries;
}

function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function literalEnd(text: string, start: number): number {
  const end = text.indexOf(']', start);
  return end === -1 ? text.length : end + 1;
}

/** Comments nest (RFC 5322 §3.2.2). */
function commentEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return at + 1;
  }
  return text.length;
}

/** White space between the parts of an address is allowed (RFC 5322 §4.4); within quotes it belongs to them. */
function withoutSpace(mailbox: string): string {
  return mailbox
    .replace(
      /("(?:[^"\\]|\\.)*")|[ \t]*([.@])[ \t]*/gs,
      (_, quotes: string | undefined, mark: string) => quotes ?? mark,
    )
    .trim();
}

function withoutRoute(mailbox: string): string {
  return mailbox.startsWith('@') ? mailbox.slice(mailbox.indexOf(':') + 1) : mailbox;
}
