// What has to be known of a stored message before it goes out, seen while it passes: fields to sign, fields that must not leave under
// their name, the hash of its body, its form.
import { createBodyHash, signedField } from '#mail/dkim/sign-message.ts';
import { verdictField } from '#mail/header/authserv-id.ts';
import type { HeaderField } from '#mail/header/header-fields.ts';
import { createHeaderReader, type Header } from '#mail/header/read-header.ts';
import { createLineEndingCheck } from '#mail/smtp/line-endings.ts';
import { createVerdictCheck } from './disarm-results.ts';

/** What is asked for: `isSigned` the body's hash, `isBinary` whether it is made of lines. */
export type Wanted = { readonly hostname: string; readonly isSigned: boolean; readonly isBinary: boolean };

export type MessageFacts = {
  /** The fields that a signature covers. */
  readonly fields: readonly HeaderField[];
  readonly hasAsciiHeader: boolean;
  /** Where fields begin that must not leave under their name, in rising order. */
  readonly forged: readonly number[];
  /** The relaxed body hash, base64; of nothing if it was not asked for. */
  readonly bodyHash: string;
  /** If it was asked for: whether it is made of lines: no NUL, no bare CR or LF, none too long to travel. */
  readonly isLines: boolean;
};

/** `pushStored` takes a piece as it is stored, `push` the same with its line endings mended. */
export type MessageWatch = {
  readonly pushStored: (piece: Uint8Array) => void;
  readonly push: (piece: Uint8Array) => void;
  /** Whether all that is asked for is known. */
  readonly hasAll: () => boolean;
  readonly end: () => MessageFacts;
};

const maxLineBytes = 998;
const LF = 0x0a;
/** Verdicts, and lines that are no fields. */
const unsignedWanted = new RegExp(`^$|${verdictField.source}`, 'i');
const signedWanted = new RegExp(`${unsignedWanted.source}|${signedField.source}`, 'i');

/** A watch at the first octet of a message. */
export function createMessageWatch({ hostname, isSigned, isBinary }: Wanted): MessageWatch {
  const limits = { headerBytes: Number.POSITIVE_INFINITY, fields: Number.POSITIVE_INFINITY, fieldBytes: 1_048_576 };
  const reader = createHeaderReader({ ...limits, wanted: isSigned ? signedWanted : unsignedWanted });
  const verdicts = createVerdictCheck(hostname);
  const lines = createLinesCheck();
  const hash = createBodyHash();
  const fields: HeaderField[] = [];
  let header: Header | null = null;
  let position = 0;
  let hasAsciiHeader = true;
  const takeFields = (): void => {
    for (const field of reader.take()) {
      if (signedField.test(field.name)) fields.push(field);
      else verdicts.push(field);
    }
  };
  const push = (piece: Uint8Array): void => {
    const from = position;
    position += piece.length;
    if (header !== null) {
      if (isSigned) hash.push(piece);
      return;
    }
    header = reader.push(piece);
    takeFields();
    const headerBytes = header === null ? piece.length : header.bodyOffset - from;
    hasAsciiHeader &&= isAscii(piece.subarray(0, headerBytes));
    if (isSigned) hash.push(piece.subarray(headerBytes));
  };
  return {
    pushStored: (piece) => {
      if (isBinary) lines.push(piece);
    },
    push,
    hasAll: () => header !== null && !isSigned && !isBinary,
    end() {
      header ??= reader.finish();
      takeFields();
      return { fields, hasAsciiHeader, forged: verdicts.forged, bodyHash: hash.digest(), isLines: lines.isLines() };
    },
  };
}

/** Sees a message pass and tells at its end whether it can travel as lines of at most 998 octets (RFC 5321 §4.5.3.1.6). */
function createLinesCheck(): { readonly push: (chunk: Uint8Array) => void; readonly isLines: () => boolean } {
  const endings = createLineEndingCheck();
  let length = 0;
  let longest = 0;
  return {
    push(chunk) {
      endings.push(chunk);
      let from = 0;
      for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
        longest = Math.max(longest, length + at - from - 1);
        length = 0;
        from = at + 1;
      }
      length += chunk.length - from;
      longest = Math.max(longest, length);
    },
    isLines() {
      endings.end();
      return endings.found === null && longest <= maxLineBytes;
    },
  };
}

/** Whether all octets are ASCII characters. */
export function isAscii(bytes: Uint8Array): boolean {
  return !bytes.some((byte) => byte > 0x7f);
}
