// Message ids: ULIDs (26 characters of Crockford base 32), unique and sorting by the time of receipt.
import { randomBytes } from 'node:crypto';
import { decodeTime, encodeTime, monotonicFactory } from 'ulid';

declare const brand: unique symbol;
/** The id of a message, from front door to inbox: a ULID in upper case. Made only here. */
export type MessageId = string & { readonly [brand]: 'MessageId' };

const ulid = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const poolBytes = 4_096;

/** Returns a maker of ids: each id is later in sort order than the one before it, also within a millisecond. */
export function messageIdFactory(): (nowMs: number) => MessageId {
  const next = monotonicFactory(pooledRandom());
  return (nowMs) => brandId(next(nowMs));
}

/** Says whether a text is a message id (a ULID in upper case, as this service writes it). */
export function isMessageId(text: string): text is MessageId {
  return ulid.test(text);
}

/** The time of receipt that an id carries, in milliseconds since 1970. */
export function messageIdTime(id: MessageId): number {
  return decodeTime(id);
}

/** The same in ISO 8601. */
export function receivedAtOf(id: MessageId): string {
  return new Date(messageIdTime(id)).toISOString();
}

/** What every id made at this time or later sorts behind: the time's part of an id. */
export function earliestIdAt(nowMs: number): string {
  return encodeTime(Math.max(0, Math.floor(nowMs)));
}

/** Fractions from 0 to below 1, from a pool of random bytes: to ask the system for each one is slow. */
function pooledRandom(): () => number {
  let pool = randomBytes(poolBytes);
  let at = 0;
  return () => {
    if (at === pool.length) {
      pool = randomBytes(poolBytes);
      at = 0;
    }
    const byte = pool[at] ?? 0;
    at += 1;
    return byte / 256;
  };
}

function brandId(text: string): MessageId {
  if (!isMessageId(text)) throw new Error(`not a ULID: ${text}`);
  return text;
}
