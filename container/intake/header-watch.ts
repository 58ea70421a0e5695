// Watches a header pass by: counts its Received fields (RFC 5321 §6.3), those of this very host apart, and finds its end.
import { fieldValue } from '#mail/header/header-fields.ts';
import { createHeaderReader } from '#mail/header/read-header.ts';

/** The watch over one message. */
export type HeaderWatch = {
  /** Where in this chunk the body begins; -1 while the header goes on; 0 if it had ended before. */
  readonly push: (chunk: Uint8Array) => number;
  /** At the end of the message, which may come before that of its header. */
  readonly end: () => void;
  /** `Received:` fields that have been read to their end. */
  readonly hops: () => number;
  /** Those that name this host behind their `by`: how often the message was here before. */
  readonly ownHops: () => number;
};

/** Of a Received field its beginning is kept: the hosts stand there. */
const limits = { headerBytes: 131_072, fields: 1_000, fieldBytes: 1_024, wanted: /^received$/i };

/** A watch at the first byte of a message, at the host of that name. */
export function createHeaderWatch(hostname: string): HeaderWatch {
  const byUs = ` by ${hostname.toLowerCase()} `;
  const reader = createHeaderReader(limits);
  let taken = 0;
  let hasEnded = false;
  let seen = 0;
  let ownHops = 0;
  const count = (): void => {
    for (const field of reader.fields.slice(seen)) {
      const value = Buffer.from(fieldValue(field)).toString('latin1').toLowerCase();
      if (`${value} `.replace(/\s+/g, ' ').includes(byUs)) ownHops += 1;
    }
    seen = reader.fields.length;
  };
  return {
    push(chunk) {
      if (hasEnded) return 0;
      const header = reader.push(chunk);
      const before = taken;
      taken += chunk.length;
      hasEnded = header !== null;
      count();
      return header === null ? -1 : header.bodyOffset - before;
    },
    end() {
      if (!hasEnded) reader.finish();
      hasEnded = true;
      count();
    },
    hops: () => reader.fields.length,
    ownHops: () => ownHops,
  };
}
