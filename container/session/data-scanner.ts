// Finds the end of a message in DATA and takes the transparency dots out (RFC 5321 §4.5.2).
// The end is CRLF.CRLF and nothing else: no mixture with bare CR or LF ends a message (SMTP smuggling). Speed matters
// here: text is crossed with indexOf, and lines that begin with dots are moved together in place.

const cr = 0x0d;
const lf = 0x0a;
const dot = 0x2e;
const lineWithDot = Buffer.from('\r\n.');

// How much of CRLF.CRLF the last bytes were. The dot and the CR behind it are held back until it is clear what they are.
const inLine = 0;
const afterCr = 1;
const lineStart = 2;
const afterDot = 3;
const afterDotCr = 4;

/** What of a chunk is content, and where the first byte behind the end of data is: -1 while the end has not come. */
export type Scanned = { readonly content: readonly Buffer[]; readonly end: number };

/** Reads one message; make a new one for each. */
export type DataScanner = {
  /** Scans `chunk` from `start`. The scanner owns the chunk: it moves bytes within it, and answers parts of it. */
  readonly push: (chunk: Buffer, start: number) => Scanned;
};

/** A scanner at the first byte of a message, which is the start of a line: a lone dot there ends an empty message. */
export function createDataScanner(): DataScanner {
  let state = lineStart;

  function push(chunk: Buffer, start: number): Scanned {
    const content: Buffer[] = [];
    let read = start;
    let from = start; // content of this chunk is chunk[from, write)
    let write = start;
    while (read < chunk.length) {
      if (state === inLine) {
        const found = chunk.indexOf(lineWithDot, read);
        const until = found < 0 ? chunk.length : found + 3;
        const kept = found < 0 ? until : until - 1;
        state = found < 0 ? tailState(chunk, read) : afterDot; // before bytes move
        if (write !== read) chunk.copyWithin(write, read, kept);
        write += kept - read;
        read = until;
        continue;
      }
      const byte = chunk[read];
      read += 1;
      if (state === afterDot && byte === cr) {
        state = afterDotCr;
      } else if (state === afterDotCr && byte === lf) {
        if (write > from) content.push(chunk.subarray(from, write));
        return { content, end: read };
      } else if (state === lineStart && byte === dot) {
        state = afterDot;
      } else {
        if (state === afterDotCr) {
          // The dot went as transparency; its CR is content after all. There may be no room for it before this byte.
          if (write < read - 1) {
            chunk[write] = cr;
            write += 1;
          } else {
            if (write > from) content.push(chunk.subarray(from, write));
            content.push(Buffer.from([cr]));
            from = write;
          }
        }
        const wasCr = state === afterCr || state === afterDotCr;
        chunk[write] = byte ?? 0;
        write += 1;
        state = byte === cr ? afterCr : wasCr && byte === lf ? lineStart : inLine;
      }
    }
    if (write > from) content.push(chunk.subarray(from, write));
    return { content, end: -1 };
  }

  return { push };
}

/** Where a chunk leaves off that has no CRLF and dot from `start` on. */
function tailState(chunk: Buffer, start: number): number {
  const last = chunk.length - 1;
  if (chunk[last] === cr) return afterCr;
  return chunk[last] === lf && last > start && chunk[last - 1] === cr ? lineStart : inLine;
}
