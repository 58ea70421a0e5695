// Slots: how many jobs of this process may be at one destination at once. A job that finds all of them taken does not wait here, it
// goes back to the queue; how long it stays there follows from how long the others take, so that 10,000 of them neither come back
// every few seconds nor leave a slot free.

/** A place among those at work for one destination. */
export type Slot = {
  /** Its host is ready for mail: from now on it does not count as one that may be dead. */
  readonly markReady: () => void;
  /** Gives it back; a second call does nothing. */
  readonly release: () => void;
};

export type Slots = {
  /** A slot where fewer than `limit` are taken; else null. */
  readonly acquire: (destination: string, limit: number) => Slot | null;
  /**
   * How many may be there at once, `limit` at most: only one where none is known to be done soon, while very many wait at such
   * destinations. Some dozens of hosts that hang, all at once, would take all workers otherwise.
   */
  readonly shareOf: (destination: string, limit: number) => number;
  /** Whether all that have a slot there still wait for the host's first words, the first of them for some seconds. */
  readonly isUnresponsive: (destination: string) => boolean;
  /** In how many milliseconds a job that got no slot had better ask again; each call takes a later place in the line. */
  readonly waitMs: (
    destination: string,
    terms: { readonly limit: number; readonly longestMs: number; readonly random: () => number },
  ) => number;
};

type Holder = { readonly since: number; isReady: boolean };
/** `meanMs`: how long a slot was held, of late (a guess until `isKnown`); `lineEndsAt`: when the last of those that wait is to come back. */
type Place = { readonly holders: Set<Holder>; meanMs: number; lineEndsAt: number; isKnown: boolean };

const firstGuessMs = 20;
const shortestWaitMs = 250;
const unresponsiveMs = 5_000;
/** A destination where a slot is held for less is done soon. */
const soonMs = 5_000;
/** So many jobs at others, and each of those gets one slot at a time: a fifth of the workers of one machine. */
const manyAtUnsure = 50;
/** Of the mean that the newest measurement makes. */
const newestShare = 0.2;
/** Who comes back is better early than late: a slot must not stay free while jobs wait. */
const earliness = 2;
/** The same where nobody is done yet, and how long that takes is a guess: a first slow answer must not send all away for long. */
const earlinessOfGuess = 20;
const maxPlaces = 10_000;

/** The slots of one process; `now` in milliseconds. */
export function createSlots(now: () => number = () => performance.now()): Slots {
  const places = new Map<string, Place>();
  /** Those that somebody is at: as many as there are workers at most. */
  const taken = new Set<Place>();
  const placeOf = (destination: string): Place => {
    const known = places.get(destination);
    if (known !== undefined) return known;
    if (places.size >= maxPlaces) dropIdle(places, now());
    const made = { holders: new Set<Holder>(), meanMs: firstGuessMs, lineEndsAt: 0, isKnown: false };
    places.set(destination, made);
    return made;
  };
  return {
    acquire: (destination, limit) => {
      const place = placeOf(destination);
      if (place.holders.size >= limit) return null;
      const holder = { since: now(), isReady: false };
      place.holders.add(holder);
      taken.add(place);
      return {
        markReady: () => {
          holder.isReady = true;
        },
        release: () => {
          if (place.holders.delete(holder)) learn(place, { heldMs: now() - holder.since, at: now() });
          if (place.holders.size === 0) taken.delete(place);
        },
      };
    },
    shareOf: (destination, limit) => {
      const place = places.get(destination);
      if (place === undefined || place.holders.size === 0 || !isUnsure(place)) return limit;
      let atUnsure = 0;
      for (const other of taken) if (other !== place && isUnsure(other)) atUnsure += other.holders.size;
      return atUnsure < manyAtUnsure ? limit : 1;
    },
    isUnresponsive: (destination) => {
      const holders = [...(places.get(destination)?.holders ?? [])];
      return (
        holders.length > 0 &&
        holders.every(({ isReady }) => !isReady) &&
        holders.some(({ since }) => now() - since > unresponsiveMs)
      );
    },
    waitMs: (destination, { limit, longestMs, random }) => {
      const place = placeOf(destination);
      const at = now();
      const perJobMs = Math.max(place.meanMs / earliness, youngestMs(place, at) / earlinessOfGuess) / limit;
      place.lineEndsAt = Math.max(place.lineEndsAt, at + Math.min(shortestWaitMs, longestMs)) + perJobMs;
      if (place.lineEndsAt - at <= longestMs) return place.lineEndsAt - at;
      // The line is longer than a job may wait: those behind come back at any time, not all at once.
      place.lineEndsAt = at + longestMs;
      return longestMs * (0.5 + random() / 2);
    },
  };
}

/** Where jobs take less time than those before them, the line is shorter too. */
function learn(place: Place, { heldMs, at }: { readonly heldMs: number; readonly at: number }): void {
  const before = place.meanMs;
  place.isKnown = true;
  place.meanMs = Math.max(1, before + (heldMs - before) * newestShare);
  if (place.meanMs < before && place.lineEndsAt > at) {
    place.lineEndsAt = at + ((place.lineEndsAt - at) * place.meanMs) / before;
  }
}

/** Whether a slot there may be held for long. */
function isUnsure({ isKnown, meanMs }: Place): boolean {
  return !isKnown || meanMs > soonMs;
}

/** For how long the newest of those at work has been: hosts that answer nobody show in this before anybody is done. */
function youngestMs({ holders }: Place, at: number): number {
  let youngest = Number.POSITIVE_INFINITY;
  for (const { since } of holders) youngest = Math.min(youngest, at - since);
  return holders.size === 0 ? 0 : youngest;
}

function dropIdle(places: Map<string, Place>, at: number): void {
  for (const [destination, { holders, lineEndsAt }] of places) {
    if (holders.size === 0 && lineEndsAt < at) places.delete(destination);
  }
}
