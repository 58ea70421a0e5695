// Slots: how many jobs of this process may be at one destination at once. A job that finds all of them taken goes back to the queue. How
// long it stays there follows from how long the others take, so that 10,000 of them neither come back every few seconds nor leave a
// slot free.

/** The right to be one of the jobs at work for one destination. */
export type Slot = {
  /** Its host is ready for mail: from now on it does not count as unresponsive. */
  readonly markReady: () => void;
  /** A second call does nothing. */
  readonly release: () => void;
};

export type Slots = {
  /** A slot if fewer than `limit` are taken; else null. */
  readonly acquire: (destination: string, limit: number) => Slot | null;
  /**
   * How many may be there at once: `limit`, or one while very many jobs are at destinations that may keep them long, this one among them.
   * Otherwise some dozens of hosts that hang at once would take all workers.
   */
  readonly shareOf: (destination: string, limit: number) => number;
  /** Whether all that have a slot there still wait for the host to get ready, the first of them for some seconds. */
  readonly isUnresponsive: (destination: string) => boolean;
  /** In how many milliseconds a job that got no slot should ask again; each call counts as one more that waits. */
  readonly waitMs: (
    destination: string,
    terms: { readonly limit: number; readonly longestMs: number; readonly random: () => number },
  ) => number;
};

type Holder = { readonly since: number; isReady: boolean };
/** `meanMs`: how long a slot is held (a guess until `isKnown`); `lastDueAt`: when the last of those that wait comes back. */
type Occupancy = { readonly holders: Set<Holder>; meanMs: number; lastDueAt: number; isKnown: boolean };

const firstGuessMs = 20;
const shortestWaitMs = 250;
const unresponsiveMs = 5_000;
/** A slot that is held for less is free again soon. */
const soonMs = 5_000;
/** While so many jobs are at destinations that may keep them long, each of these gets one slot: a fifth of a machine's workers. */
const manyAtUncertain = 50;
/** The newest measurement's share of the mean. */
const newestShare = 0.2;
/** Jobs come back early rather than late: a slot must not stay free while jobs wait. */
const earliness = 2;
/** The same while no job is done yet and `meanMs` is a guess: a first slow answer must not send all away for long. */
const earlinessOfGuess = 20;
const maxOccupancies = 10_000;

/** The slots of one process; `now` in milliseconds. */
export function createSlots(now: () => number = () => performance.now()): Slots {
  const occupancies = new Map<string, Occupancy>();
  /** Those that have holders. */
  const taken = new Set<Occupancy>();
  const occupancyOf = (destination: string): Occupancy => {
    const known = occupancies.get(destination);
    if (known !== undefined) return known;
    if (occupancies.size >= maxOccupancies) dropIdle(occupancies, now());
    const made = { holders: new Set<Holder>(), meanMs: firstGuessMs, lastDueAt: 0, isKnown: false };
    occupancies.set(destination, made);
    return made;
  };
  return {
    acquire: (destination, limit) => {
      const occupancy = occupancyOf(destination);
      if (occupancy.holders.size >= limit) return null;
      const holder = { since: now(), isReady: false };
      occupancy.holders.add(holder);
      taken.add(occupancy);
      return {
        markReady: () => {
          holder.isReady = true;
        },
        release: () => {
          if (occupancy.holders.delete(holder)) learn(occupancy, { heldMs: now() - holder.since, at: now() });
          if (occupancy.holders.size === 0) taken.delete(occupancy);
        },
      };
    },
    shareOf: (destination, limit) => {
      const occupancy = occupancies.get(destination);
      if (occupancy === undefined || occupancy.holders.size === 0 || !isUncertain(occupancy)) return limit;
      let atUncertain = 0;
      for (const other of taken) if (other !== occupancy && isUncertain(other)) atUncertain += other.holders.size;
      return atUncertain < manyAtUncertain ? limit : 1;
    },
    isUnresponsive: (destination) => {
      const holders = [...(occupancies.get(destination)?.holders ?? [])];
      return (
        holders.length > 0 &&
        holders.every(({ isReady }) => !isReady) &&
        holders.some(({ since }) => now() - since > unresponsiveMs)
      );
    },
    waitMs: (destination, { limit, longestMs, random }) => {
      const occupancy = occupancyOf(destination);
      const at = now();
      const perJobMs = Math.max(occupancy.meanMs / earliness, youngestMs(occupancy, at) / earlinessOfGuess) / limit;
      occupancy.lastDueAt = Math.max(occupancy.lastDueAt, at + Math.min(shortestWaitMs, longestMs)) + perJobMs;
      if (occupancy.lastDueAt - at <= longestMs) return occupancy.lastDueAt - at;
      // More wait than a job may wait for: the rest come back spread over that time.
      occupancy.lastDueAt = at + longestMs;
      return longestMs * (0.5 + random() / 2);
    },
  };
}

/** If jobs take less time than those before them, those that wait come back sooner too. */
function learn(occupancy: Occupancy, { heldMs, at }: { readonly heldMs: number; readonly at: number }): void {
  const before = occupancy.meanMs;
  occupancy.isKnown = true;
  occupancy.meanMs = Math.max(1, before + (heldMs - before) * newestShare);
  if (occupancy.meanMs < before && occupancy.lastDueAt > at) {
    occupancy.lastDueAt = at + ((occupancy.lastDueAt - at) * occupancy.meanMs) / before;
  }
}

/** Whether a slot there may be held for long. */
function isUncertain({ isKnown, meanMs }: Occupancy): boolean {
  return !isKnown || meanMs > soonMs;
}

/** How long the newest holder has had its slot: shows that a host does not answer before any job is done. */
function youngestMs({ holders }: Occupancy, at: number): number {
  let youngest = Number.POSITIVE_INFINITY;
  for (const { since } of holders) youngest = Math.min(youngest, at - since);
  return holders.size === 0 ? 0 : youngest;
}

function dropIdle(occupancies: Map<string, Occupancy>, at: number): void {
  for (const [destination, { holders, lastDueAt }] of occupancies) {
    if (holders.size === 0 && lastDueAt < at) occupancies.delete(destination);
  }
}
