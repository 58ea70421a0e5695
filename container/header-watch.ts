// Watches a header pass by: counts its Received fields (RFC 5321 §6.3) and finds its end. Holds nothing, reads each byte once.

const lf = 0x0a;
const cr = 0x0d;
const received = Buffer.from('received:');

/** The watch over one message. */
export type HeaderWatch = {
  /** Where in this chunk the body begins; -1 while the header goes on; 0 when it had ended before. */
  readonly push: (chunk: Uint8Array) => number;
  /** `Received:` fields seen so far. */
  readonly hops: () => number;
};

/** A watch at the first byte of a message. */
export function createHeaderWatch(): HeaderWatch {
  let hops = 0;
  let column = 0;
  let isEmptyLine = true;
  let isMatching = true;
  let hasEnded = false;

  /** One byte near the beginning of a line; true where it ends the header. */
  function step(byte: number | undefined): boolean {
    if (byte === lf) {
      if (isEmptyLine) return true;
      column = 0;
      isEmptyLine = true;
      isMatching = true;
      return false;
    }
    isEmptyLine &&= column === 0 && byte === cr;
    isMatching &&= byte !== undefined && (byte | 0x20) === received[column];
    column += 1;
    if (isMatching && column === received.length) {
      hops += 1;
      isMatching = false;
    }
    return false;
  }

  return {
    push(chunk) {
      if (hasEnded) return 0;
      for (let at = 0; at < chunk.length; ) {
        if (column > received.length || (!isMatching && !isEmptyLine)) {
          const end = chunk.indexOf(lf, at);
          if (end < 0) return -1;
          at = end;
        }
        hasEnded = step(chunk[at]);
        at += 1;
        if (hasEnded) return at;
      }
      return -1;
    },
    hops: () => hops,
  };
}
