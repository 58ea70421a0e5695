// Guessing the password of one user from many addresses, a few times each, passes all limits that go by address. So wrong
// passwords are counted by name too, for addresses that have never logged in under it: those that have are not locked out by
// what others do. Names that nobody has are counted alike, so that the limit does not show which names there are.
import { LRUCache } from 'lru-cache';
import { trackedKeys } from '#container/limits/limits.ts';

/** Who may try a password under which name. Names are compared without case. Both tables are bounded. */
export type GuessLimit = {
  /** One of the `perHour` guesses under a name that unknown addresses (their group) have together; null: none is left. */
  readonly take: (name: string, group: string, perHour: number) => Guess | null;
};

/** A guess stays taken if the password was wrong. */
export type Guess = {
  /** The address has shown before that it knows the user's password. */
  readonly isKnown: boolean;
  /** The password was right: the guess is given back, and the address is known under this name from now on. */
  readonly right: () => void;
  /** Nobody looked at the password: the guess is given back. */
  readonly unjudged: () => void;
};

const hourMs = 3_600_000;
const maxNameChars = 254; // of a configured user

/** `now`: milliseconds of a clock that never goes back. */
export function createGuessLimit(now: () => number): GuessLimit {
  const guesses = new LRUCache<string, { left: number; at: number }>(trackedKeys);
  const known = new LRUCache<string, true>(trackedKeys);

  /** What is left under a name after taking one more; null if there is none. */
  function takeFrom(key: string, perHour: number): { left: number; at: number } | null {
    const entry = guesses.get(key) ?? { left: perHour, at: now() };
    entry.left = Math.min(perHour, entry.left + ((now() - entry.at) / hourMs) * perHour);
    entry.at = now();
    guesses.set(key, entry);
    if (entry.left < 1) return null;
    entry.left -= 1;
    return entry;
  }

  return {
    take(name, group, perHour) {
      const key = name.slice(0, maxNameChars).toLowerCase();
      const pair = `${group} ${key}`;
      const isFree = known.has(pair) || perHour === Number.POSITIVE_INFINITY;
      const entry = isFree ? { left: 0 } : takeFrom(key, perHour);
      if (entry === null) return null;
      const unjudged = () => {
        entry.left += 1;
      };
      const right = () => {
        unjudged();
        known.set(pair, true);
      };
      return { isKnown: known.has(pair), right, unjudged };
    },
  };
}
