// A clock that stands still until a test moves it.
import type { Clock } from '#pipeline/contract/ports.ts';

export type SetClock = Clock & {
  readonly set: (time: string | number) => void;
  readonly advance: (milliseconds: number) => void;
  readonly iso: () => string;
};

/** A clock at `start` (ISO 8601 text, or milliseconds since 1970). */
export function setClock(start: string | number = '2026-11-21T12:00:00.000Z'): SetClock {
  let now = new Date(start).getTime();
  return Object.assign(() => now, {
    set: (time: string | number) => {
      now = new Date(time).getTime();
    },
    advance: (milliseconds: number) => {
      now += milliseconds;
    },
    iso: () => new Date(now).toISOString(),
  });
}
