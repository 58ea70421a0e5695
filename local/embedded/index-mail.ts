// Takes stored mail into the index of texts behind what is stored, some messages at a time, so that accepting mail never waits for
// it: the more at once, the less it costs. Mail of an earlier version is indexed likewise after the start.
import type { Client } from './client.ts';

const messagesAtOnce = 100;
/** How long a message waits for others to be indexed with. Searches find it meanwhile. */
const soonMs = 1_000;
/** A step is followed by a rest of its own length, and by a longer one if nothing waits: whoever searches does not notice. */
const nextMs = 5;
const restsPerMerge = 4;
/** While mail comes in: every tenth of the database thread's time at most. */
const busyMs = 250;

export type Indexing = {
  /** Says that mail was stored, or deleted: then what the index has of it is to go. */
  readonly changed: () => void;
  readonly stop: () => void;
};

/** Starts with what an earlier process left. `now`: in milliseconds, of a clock that runs evenly. */
export function startIndexing(client: Pick<Client, 'ask'>, now: () => number = () => performance.now()): Indexing {
  let timer: NodeJS.Timeout | null = null;
  let [isStopped, changedAt] = [false, Number.NEGATIVE_INFINITY];
  /** Since when there may be mail that waits, or null. */
  let waitingSince: number | null = Number.NEGATIVE_INFINITY;
  const later = (ms: number): void => {
    if (!isStopped) timer ??= setTimeout(() => void step(), ms).unref();
  };
  const isBusy = (): boolean => now() - changedAt < busyMs;
  let areMany = false;
  const step = async (): Promise<void> => {
    const isDue = waitingSince !== null && now() - waitingSince >= soonMs;
    if (!isDue && !areMany && isBusy()) {
      // The index is put in order when no mail comes.
      timer = null;
      return later(busyMs);
    }
    if (isDue) waitingSince = null;
    const request = { kind: 'indexText', atLeast: isDue ? 1 : messagesAtOnce, limit: messagesAtOnce } as const;
    // A step that fails (a full disk) is tried again when more mail came.
    const askedAt = now();
    const { areLeft, isMore } = await client.ask(request).catch(() => ({ areLeft: false, isMore: false }));
    timer = null;
    areMany = areLeft && isMore;
    const restMs = Math.max(nextMs, (now() - askedAt) * (areLeft ? 1 : restsPerMerge));
    if (areLeft) waitingSince ??= now();
    if (isMore) later(isBusy() ? busyMs : restMs);
    else if (waitingSince !== null) later(Math.max(nextMs, waitingSince + soonMs - now()));
  };
  later(soonMs);
  return {
    changed: () => {
      changedAt = now();
      waitingSince ??= changedAt;
      later(soonMs);
    },
    stop: () => {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
