// The place of a message in lists, as a whole number that JavaScript holds exactly: it grows with the time in the message's id. Each
// millisecond has room for some thousand; who finds it full goes to the next.
import { isMessageId, messageIdTime } from '#mail/header/message-id.ts';

/** Of one millisecond. */
export const placesPerMs = 8_192;
/** 2020; the last millisecond with a place of its own is in 2054. */
const firstMs = 1_577_836_800_000;
const lastMs = firstMs + 2 ** 40 - 2;

/** The first place of the millisecond of an id. */
export function firstPlaceAt(id: string): number {
  return placeAt(isMessageId(id) ? messageIdTime(id) : firstMs);
}

/** The first place of a time, in milliseconds since 1970. */
export function placeAt(ms: number): number {
  return (Math.min(lastMs, Math.max(firstMs, Math.floor(ms))) - firstMs) * placesPerMs;
}

/** The first place of the millisecond after the one of this place. */
export function nextPlaceAfter(place: number): number {
  return (Math.floor(place / placesPerMs) + 1) * placesPerMs;
}
