// Line endings of messages: CRLF is the only one (RFC 5321 §2.3.8). A bare CR or LF can smuggle commands; here it is found while a message
// streams in, and turned into CRLF for a signature, or where the configuration accepts it. NUL octets become `?`: a host that drops them
// would read CRLF NUL dot CRLF as the end of a message, and `Fr NUL om:` as a From field that was not judged.

const CR = 0x0d;
const LF = 0x0a;
const NUL = 0;
const questionMark = 0x3f;
const maxTextBytes = 65_536;

/** What a message may hold that it should not; a bare CR or LF outranks a NUL, the first of the two is named. */
type LineEndingFault = 'bare-cr' | 'bare-lf' | 'nul';

/** A check that sees a message pass in chunks. Call `end` after the last one: a CR may be the last octet. */
export type LineEndingCheck = {
  readonly push: (chunk: Uint8Array) => void;
  readonly end: () => void;
  /** The fault found so far, or null. */
  readonly found: LineEndingFault | null;
};

/** Makes a check for one message: chunks of any size, in order. Costs little: searches run in native code. */
export function createLineEndingCheck(): LineEndingCheck {
  let bare: 'bare-cr' | 'bare-lf' | null = null;
  let hasNul = false;
  let endedInCr = false;
  return {
    push(chunk) {
      if (bare !== null || chunk.length === 0) return;
      if (endedInCr && chunk[0] !== LF) bare = 'bare-cr';
      else bare = findBare(chunk, endedInCr);
      endedInCr = chunk.at(-1) === CR;
      hasNul ||= chunk.includes(NUL);
    },
    end() {
      if (endedInCr) bare ??= 'bare-cr';
    },
    get found() {
      return bare ?? (hasNul ? 'nul' : null);
    },
  };
}

/**
 * Turns every bare CR and bare LF into CRLF, and NUL octets, which should not be sent (RFC 5321 §4.1.1.4), into `?`. Answers
 * the same array where there is nothing to do.
 */
export function normaliseLineEndings(bytes: Uint8Array): Uint8Array {
  if (isMended(bytes)) return bytes;
  const normaliser = createLineEndingNormaliser();
  return Buffer.concat([normaliser.push(bytes), normaliser.end()]);
}

/** The same for a message that passes in chunks: `push` answers what may be sent on, `end` what is left at last. */
export type LineEndingNormaliser = {
  readonly push: (chunk: Uint8Array) => Uint8Array;
  readonly end: () => Uint8Array;
};

/** Makes a normaliser for one message; a CR at a chunk's end is held back until the next octet tells what it is. */
export function createLineEndingNormaliser(): LineEndingNormaliser {
  let heldCr = false;
  return {
    push(chunk) {
      if (chunk.length === 0) return chunk;
      if (!heldCr && isMended(chunk)) return chunk;
      const out = Buffer.allocUnsafe(chunk.length * 2 + 2);
      let length = 0;
      let previous = heldCr ? CR : -1;
      for (const byte of chunk) {
        if (previous === CR && byte !== LF) length = writeCrlf(out, length);
        if (byte === LF) length = writeCrlf(out, length);
        else if (byte !== CR) out[length++] = byte === NUL ? questionMark : byte;
        previous = byte;
      }
      heldCr = previous === CR;
      return out.subarray(0, length);
    },
    end() {
      const rest = heldCr ? Buffer.from('\r\n') : Buffer.alloc(0);
      heldCr = false;
      return rest;
    },
  };
}

function writeCrlf(out: Uint8Array, at: number): number {
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}

/** Says whether there is nothing to mend in a chunk. A CR at its end is something, until the next octet is there. */
function isMended(chunk: Uint8Array): boolean {
  return findBare(chunk, false) === null && chunk.at(-1) !== CR && !chunk.includes(NUL);
}

/** The first bare CR or LF; a CR as the very last octet is left for the next chunk to judge. */
function findBare(chunk: Uint8Array, afterCr: boolean): 'bare-cr' | 'bare-lf' | null {
  const find = finderIn(chunk);
  for (let from = afterCr && chunk[0] === LF ? 1 : 0; ; ) {
    const lf = find('\n', from);
    const cr = find('\r', from);
    if (lf === -1) return cr === -1 || cr === chunk.length - 1 ? null : 'bare-cr';
    if (cr === -1 || cr > lf) return 'bare-lf';
    if (cr !== lf - 1) return 'bare-cr';
    from = lf + 1;
  }
}

/** Lines are short, and a text finds its next character three times as fast as bytes do. What is large is not made a text. */
function finderIn(chunk: Uint8Array): (char: '\r' | '\n', from: number) => number {
  if (chunk.length > maxTextBytes) return (char, from) => chunk.indexOf(char === '\r' ? CR : LF, from);
  const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
  return (char, from) => text.indexOf(char, from);
}
