// Takes stored mail into the index of texts behind what is stored, some messages at a time, so that accepting mail never waits for
// it: the more at once, the less it costs. Mail of an earlier version is indexed likewise after the start.
import type { Client } from './client.ts';

const messagesAtOnce = 100;
/** How long a message waits for others to be indexed with. Searches find it meanwhile. */
const soonMs = 1_000;
const nextMs = 5;
/** While mail comes in: every tenth of the database thread's time at most. */
const busyMs = 250;

export type Indexing = {
  /** Says that mail was stored. */
  readonly written: () => void;
  readonly stop: () => void;
};

/** Starts with what an earlier process left. */
export function startIndexing(client: Pick<Client, 'ask'>): Indexing {
  let timer: NodeJS.Timeout | null = null;
  let [isStopped, cameAt] = [false, Number.NEGATIVE_INFINITY];
  /** Since when there may be mail that waits, or null. */
  let waitingSince: number | null = Number.NEGATIVE_INFINITY;
  const later = (ms: number): void => {
    if (!isStopped) timer ??= setTimeout(() => void step(), ms).unref();
  };
  const step = async (): Promise<void> => {
    const isDue = waitingSince !== null && performance.now() - waitingSince >= soonMs;
    if (isDue) waitingSince = null;
    const request = { kind: 'indexText', atLeast: isDue ? 1 : messagesAtOnce, limit: messagesAtOnce } as const;
    // A step that fails (a full disk) is tried again when more mail came.
    const { areLeft, isMore } = await client.ask(request).catch(() => ({ areLeft: false, isMore: false }));
    timer = null;
    const now = performance.now();
    if (areLeft) waitingSince ??= now;
    if (isMore) later(now - cameAt < busyMs ? busyMs : nextMs);
    else if (waitingSince !== null) later(Math.max(nextMs, waitingSince + soonMs - now));
  };
  later(soonMs);
  return {
    written: () => {
      cameAt = performance.now();
      waitingSince ??= cameAt;
      later(soonMs);
    },
    stop: () => {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
