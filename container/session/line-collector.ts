// Collects command lines over packet boundaries. A line that is too long is dropped up to its end and answered there
// (RFC 5321 §4.5.3.1.4), so that it costs neither memory nor the session.
// A bare LF ends a command too: people type them, and no message can hide in one, for messages end in CRLF.CRLF alone.

const cr = 0x0d;
const maxPieces = 64; // then they become one, for those who send octet by octet

/** What a piece of input came to. */
export type Collected =
  | { readonly outcome: 'more' }
  | { readonly outcome: 'line'; readonly line: Buffer }
  | { readonly outcome: 'overlong' };

export type LineCollector = {
  /** Takes the next bytes, up to a line feed (not included; `isEnd`: it was there). */
  readonly add: (piece: Buffer, isEnd: boolean) => Collected;
};

/** Lines of at most `maxLineBytes()`, their ending counted. */
export function createLineCollector(maxLineBytes: () => number): LineCollector {
  let pieces: Buffer[] = [];
  let bytes = 0;
  return {
    add(piece, isEnd) {
      bytes += piece.length;
      const isOverlong = bytes + 1 > maxLineBytes();
      if (isOverlong) pieces = [];
      if (!isEnd) {
        if (!isOverlong) pieces.push(piece);
        if (pieces.length > maxPieces) pieces = [Buffer.concat(pieces)];
        return { outcome: 'more' };
      }
      const line = pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]);
      pieces = [];
      bytes = 0;
      if (isOverlong) return { outcome: 'overlong' };
      return { outcome: 'line', line: line.at(-1) === cr ? line.subarray(0, -1) : line };
    },
  };
}
