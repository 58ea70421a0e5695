// Address lists as header fields hold them (RFC 5322 §3.4, obsolete forms too). Linear, and total: anything gives a
// list. Unlike mail/address/address.ts this is about what a field says, not about what SMTP may be told.
import { decodeWords } from '#mail/header/decode-text.ts';

/** The name (decoded; empty where there is none), the address as written (empty where there is none), its group. */
export type HeaderAddress = { readonly name: string; readonly address: string; readonly group: string | null };

type Pending = { shown: string; written: string; angle: string | null; comment: string };

/** Reads an unfolded address field; `most` bounds the list, `cut` says that there were more. */
export function readAddresses(
  text: string,
  most: number,
): { readonly addresses: HeaderAddress[]; readonly cut: boolean } {
  const addresses: HeaderAddress[] = [];
  let pending = emptyPending();
  let group: string | null = null;
  const flush = (): void => {
    const address = finish(pending, group);
    pending = emptyPending();
    if (address !== null) addresses.push(address);
  };
  for (let at = 0; at < text.length && addresses.length <= most; at += 1) {
    const char = text.charAt(at);
    if (char === '"') at = takeQuoted(text, at, pending);
    else if (char === '(') at = takeComment(text, at, pending);
    else if (char === '<') at = takeAngle(text, at, pending);
    else if (char === ',') flush();
    else if (char === ';') {
      flush();
      group = null;
    } else if (char === ':' && pending.angle === null && group === null && !pending.written.includes('@')) {
      group = decodeWords(tidy(pending.shown));
      pending = emptyPending();
    } else if (char !== '>') {
      pending.shown += char;
      pending.written += char;
    }
  }
  flush();
  return { addresses: addresses.slice(0, most), cut: addresses.length > most };
}

function emptyPending(): Pending {
  return { shown: '', written: '', angle: null, comment: '' };
}

function finish(pending: Pending, group: string | null): HeaderAddress | null {
  const name = tidy(pending.shown);
  const comment = decodeWords(tidy(pending.comment));
  if (pending.angle !== null) {
    // RFC 5322 §4.4: a source route before the address is to be ignored.
    const address = tighten(tidy(pending.angle)).replace(/^@[^:"]*:/, '');
    return { name: name === '' ? comment : decodeWords(name), address, group };
  }
  const written = tidy(pending.written);
  if (written === '') return null;
  const [display, address] = splitBare(written);
  if (address === '') return { name: decodeWords(name), address, group };
  return { name: display === '' ? comment : decodeWords(unquoted(display)), address, group };
}

/** What stands before an address without angle brackets, and the address; empty where there is none, or more than one. */
function splitBare(written: string): readonly [display: string, address: string] {
  if (outsideQuotes(written).includes('"')) return ['', written.includes('@') ? written : ''];
  const quoted = /^"(?:[^"\\]|\\.)*" ?@ ?\S+$/.exec(written);
  if (quoted !== null) return ['', tighten(written)];
  for (const text of [written, tighten(written)]) {
    const bare = /^(?:(.*) )?(\S+@\S+)$/.exec(text);
    const display = bare?.[1] ?? '';
    if (bare?.[2] !== undefined && !outsideQuotes(display).includes('@')) return [display, bare[2]];
  }
  return ['', ''];
}

/** RFC 5322 §4.4: white space may stand around the dots and the `@` of an address; within quotes it belongs to them. */
function tighten(text: string): string {
  return splitQuotes(text)
    .map((piece) => (isQuoted(piece) ? piece : piece.replace(/ ?([.@]) ?/g, '$1')))
    .join('');
}

function outsideQuotes(text: string): string {
  return splitQuotes(text)
    .filter((piece) => !isQuoted(piece))
    .join('');
}

function unquoted(text: string): string {
  return splitQuotes(text)
    .map((piece) => (isQuoted(piece) ? piece.slice(1, -1).replace(/\\(.)/g, '$1') : piece))
    .join('');
}

function isQuoted(piece: string): boolean {
  return piece.length > 1 && piece.startsWith('"') && piece.endsWith('"');
}

/** The quoted strings of a text, and what stands between them; a quote that is never closed is no quote. One pass. */
function splitQuotes(text: string): readonly string[] {
  const pieces: string[] = [];
  let from = 0;
  for (let start = text.indexOf('"'); start >= 0; start = text.indexOf('"', from)) {
    let at = start + 1;
    while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1;
    if (at >= text.length) break;
    pieces.push(text.slice(from, start), text.slice(start, at + 1));
    from = at + 1;
  }
  return [...pieces, text.slice(from)];
}

function takeQuoted(text: string, start: number, pending: Pending): number {
  let at = start + 1;
  let inner = '';
  for (; at < text.length && text.charAt(at) !== '"'; at += 1) {
    if (text.charAt(at) === '\\') at += 1;
    inner += text.charAt(at);
  }
  pending.shown += inner;
  pending.written += text.slice(start, at + 1);
  return at;
}

function takeComment(text: string, start: number, pending: Pending): number {
  let depth = 0;
  let at = start;
  for (; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '\\') at += 1;
    else if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    if (depth === 0) break;
  }
  pending.comment += `${text.slice(start + 1, at).replace(/\\(.)/g, '$1')} `;
  return at;
}

function takeAngle(text: string, start: number, pending: Pending): number {
  let quoted = false;
  let at = start + 1;
  while (text.charAt(at) === '<') at += 1;
  const first = at;
  for (; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === '>' && !quoted) break;
  }
  // Of two in one entry the first counts, as with others who read it.
  pending.angle ??= text.slice(first, at);
  return at;
}

function tidy(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
