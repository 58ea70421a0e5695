// The header of a message, split into its fields; the bytes stay as they are. RFC 5322 §2.2, RFC 6532 (UTF-8).
// Tolerant: whatever comes, something is answered, with problems saying what was wrong. Linear time, bounded memory.

import type { HeaderField } from './header-fields.ts';

const LF = 0x0a;
const CR = 0x0d;

/** Something wrong with a header: a stable word for programs, a sentence for people. */
type HeaderProblem = {
  readonly code: 'header-too-large' | 'too-many-fields' | 'malformed-header-line' | 'nul-in-header' | 'no-header-end';
  readonly detail: string;
};

/** A header, split. `bodyOffset` is where the body begins; the length of the bytes where there is no empty line. */
export type Header = {
  readonly fields: readonly HeaderField[];
  readonly bodyOffset: number;
  readonly problems: readonly HeaderProblem[];
};

/** How much of a header is read: octets and fields; what is beyond is left out, and a problem says so. */
export type HeaderLimits = { readonly headerBytes: number; readonly fields: number };

// Generous to people, no feast for attackers; more octets than any caller holds of a header.
const defaultLimits: HeaderLimits = { headerBytes: 2_097_152, fields: 10_000 };

/**
 * Splits the header off a message (or off as much of its beginning as there is) and into fields. Lines end in CRLF or
 * bare LF or CR. A line that is no field (an mbox `From `, rubbish) is passed over with its continuation.
 */
export function splitHeader(bytes: Uint8Array, limits: HeaderLimits = defaultLimits): Header {
  const { bodyOffset, headerEnd } = findBody(bytes);
  const end = Math.min(headerEnd, limits.headerBytes);
  const fields: HeaderField[] = [];
  const lineEnd = lineEndFinder(bytes);
  let malformed = 0;
  let dropped = 0;
  for (let start = 0; start < end; ) {
    const next = fieldEnd(bytes, start, end, lineEnd);
    const name = fieldName(bytes, start, next);
    if (name === null) malformed++;
    else if (fields.length < limitFor(name, limits))
      fields.push({ name, raw: bytes.subarray(start, next), offset: start, bytes: next - start });
    else dropped++;
    start = next;
  }
  return {
    fields,
    bodyOffset,
    problems: [
      ...found(
        bodyOffset === bytes.length && headerEnd === bytes.length,
        'no-header-end',
        'no empty line ends the header',
      ),
      ...found(end < headerEnd, 'header-too-large', `the header has ${headerEnd} octets, ${end} were read`),
      ...found(dropped > 0, 'too-many-fields', `the header has ${dropped} fields more than the ${limits.fields} read`),
      ...found(malformed > 0, 'malformed-header-line', `${malformed} lines of the header are not fields`),
      ...found(bytes.subarray(0, end).includes(0), 'nul-in-header', 'the header has NUL octets'),
    ],
  };
}

/** Who wrote a message is not to be hidden behind ten thousand fields. */
function limitFor(name: string, limits: HeaderLimits): number {
  return /^(?:from|sender)$/i.test(name) ? limits.fields + 1_000 : limits.fields;
}

/** Where the body begins, or -1 while the bytes seen so far hold no empty line. */
export function findHeaderEnd(bytes: Uint8Array): number {
  const { bodyOffset, headerEnd } = findBody(bytes);
  return headerEnd === bodyOffset ? -1 : bodyOffset;
}

/** `headerEnd` is behind the last field's line end; equal to `bodyOffset` where no empty line follows. */
function findBody(bytes: Uint8Array): { bodyOffset: number; headerEnd: number } {
  const lineEnd = lineEndFinder(bytes);
  for (let line = 0; line < bytes.length; ) {
    const end = lineEnd(line);
    const isCutCrlf = bytes[line] === CR && line === bytes.length - 1;
    if (!isCutCrlf && (bytes[line] === LF || bytes[line] === CR)) return { bodyOffset: end, headerEnd: line };
    line = end;
  }
  return { bodyOffset: bytes.length, headerEnd: bytes.length };
}

/**
 * Answers where the line from an index on ends, behind its CRLF, bare LF or bare CR: what is later mended to CRLF must not
 * hold fields that were overlooked here. Each octet is looked at a few times at most, if asked from front to back.
 */
function lineEndFinder(bytes: Uint8Array): (from: number) => number {
  let lf = -1;
  return (from) => {
    if (lf < from) lf = bytes.indexOf(LF, from);
    if (lf === -1) lf = bytes.length;
    const cr = bytes.subarray(from, lf).indexOf(CR) + from;
    if (cr >= from && cr < lf - 1) return cr + 1;
    return Math.min(lf + 1, bytes.length);
  };
}

/** Behind the line end that is not followed by a continuation (RFC 5322 §2.2.3: a line that begins with white space). */
function fieldEnd(bytes: Uint8Array, start: number, end: number, lineEnd: (from: number) => number): number {
  for (let at = start; ; ) {
    at = lineEnd(at);
    if (at >= end) return end;
    if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return at;
  }
}

/** What stands before the colon, of visible ASCII (RFC 5322 §3.6.8), spaces before the colon forgiven (§4.5); or null. */
function fieldName(bytes: Uint8Array, start: number, end: number): string | null {
  let at = start;
  while (at < end && isNameByte(bytes[at])) at++;
  const nameEnd = at;
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
  if (nameEnd === start || bytes[at] !== 0x3a || at >= end) return null;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, nameEnd - start).toString('latin1');
}

function isNameByte(byte: number | undefined): boolean {
  return byte !== undefined && byte > 0x20 && byte < 0x7f && byte !== 0x3a;
}

function found(isSo: boolean, code: HeaderProblem['code'], detail: string): HeaderProblem[] {
  return isSo ? [{ code, detail }] : [];
}
