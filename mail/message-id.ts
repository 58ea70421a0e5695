// Message ids: ULIDs (26 characters of Crockford base 32), unique and sorting by the time of receipt.
import { decodeTime, isValid, monotonicFactory } from 'ulid';

declare const brand: unique symbol;
/** The id of a message, from front door to inbox: a ULID in upper case. Made only here. */
export type MessageId = string & { readonly [brand]: 'MessageId' };

/** Returns a maker of ids: each id is later in sort order than the one before it, also within a millisecond. */
export function messageIdFactory(): (nowMs: number) => MessageId {
  const next = monotonicFactory();
  return (nowMs) => brandId(next(nowMs));
}

/** Says whether a text is a message id (a ULID in upper case, as this service writes it). */
export function isMessageId(text: string): text is MessageId {
  return isValid(text) && text === text.toUpperCase();
}

/** The time of receipt that an id carries, in milliseconds since 1970. */
export function messageIdTime(id: MessageId): number {
  return decodeTime(id);
}

function brandId(text: string): MessageId {
  if (!isMessageId(text)) throw new Error(`not a ULID: ${text}`);
  return text;
}
