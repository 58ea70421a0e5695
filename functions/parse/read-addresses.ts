// Address lists as header fields hold them (RFC 5322 §3.4, obsolete forms too). Linear, and total: anything gives a
// list. Unlike mail/address.ts this is about what a field says, not about what SMTP may be told.
import { decodeWords } from './decode-text.ts';

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
    } else {
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
    const address = tidy(pending.angle).replace(/^@[^:"]*:/, '');
    return { name: name === '' ? comment : decodeWords(name), address, group };
  }
  const written = tidy(pending.written);
  if (written === '') return null;
  const bare = /^(?:(.*)\s)?(\S+@\S+)$/.exec(written);
  if (bare?.[2] === undefined) {
    return written.includes('@') && written.startsWith('"')
      ? { name: comment, address: written, group }
      : { name: decodeWords(name), address: '', group };
  }
  if (written.startsWith('"')) return { name: comment, address: written, group };
  return { name: bare[1] === undefined ? comment : decodeWords(tidy(bare[1])), address: bare[2], group };
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
  for (; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === '>' && !quoted) break;
  }
  pending.angle = text.slice(start + 1, at);
  return at;
}

function tidy(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
