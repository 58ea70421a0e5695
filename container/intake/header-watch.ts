// Watches a header pass by: counts its Received fields (RFC 5321 §6.3), those of this very host apart, and finds its end.
// Holds the beginning of one Received field at most, reads each byte once.

const lf = 0x0a;
const cr = 0x0d;
const space = 0x20;
const tab = 0x09;
const received = Buffer.from('received:');

/** The watch over one message. */
export type HeaderWatch = {
  /** Where in this chunk the body begins; -1 while the header goes on; 0 when it had ended before. */
  readonly push: (chunk: Uint8Array) => number;
  /** `Received:` fields seen so far. */
  readonly hops: () => number;
  /** Those that name this host behind their `by`: how often the message was here before. */
  readonly ownHops: () => number;
};

const maxFieldBytes = 1_024; // of a Received field: the hosts stand at its beginning

/** A watch at the first byte of a message, at the host of that name. */
export function createHeaderWatch(hostname: string): HeaderWatch {
  const byUs = ` by ${hostname.toLowerCase()} `;
  let hops = 0;
  let ownHops = 0;
  let field: string | null = null; // of the Received field at hand
  let column = 0;
  let isEmptyLine = true;
  let isMatching = true;
  let hasEnded = false;

  function hold(bytes: Uint8Array): void {
    if (field === null || field.length >= maxFieldBytes) return;
    field += Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, maxFieldBytes)).toString('latin1');
  }

  /** At a line that does not continue the field. */
  function endField(): void {
    if (field !== null && `${field} `.toLowerCase().replace(/\s+/g, ' ').includes(byUs)) ownHops += 1;
    field = null;
  }

  /** One byte near the beginning of a line; true where it ends the header. */
  function step(byte: number | undefined): boolean {
    if (column === 0 && field !== null) {
      if (byte === space || byte === tab) field += ' ';
      else endField();
    }
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
      field = '';
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
          hold(chunk.subarray(at, end < 0 ? chunk.length : end));
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
    ownHops: () => ownHops,
  };
}
