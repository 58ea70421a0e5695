// Takes stored mail into the index of texts, a few messages at a time: soon after they came, and slowly while more comes in, so that
// accepting mail never waits for it. Mail of an earlier version is indexed likewise after the start.
import type { Client } from './client.ts';

const messagesAtOnce = 50;
const soonMs = 100;
const nextMs = 5;
/** While mail comes in: every tenth of the database thread's time at most. */
const busyMs = 250;

export type Indexing = {
  /** Says that mail was stored. */
  readonly written: () => void;
  /** How many messages are not in the index yet, as far as was last seen. */
  readonly left: () => number;
  readonly stop: () => void;
};

/** Starts with what an earlier process left. */
export function startIndexing(client: Pick<Client, 'ask'>): Indexing {
  let timer: NodeJS.Timeout | null = null;
  let [left, isStopped, cameAt] = [0, false, Number.NEGATIVE_INFINITY];
  const later = (ms: number): void => {
    if (!isStopped) timer ??= setTimeout(() => void step(), ms).unref();
  };
  const step = async (): Promise<void> => {
    // A step that fails (a full disk) is tried again when more mail came.
    left = await client.ask({ kind: 'indexText', limit: messagesAtOnce }).catch(() => 0);
    timer = null;
    if (left > 0) later(performance.now() - cameAt < busyMs ? busyMs : nextMs);
  };
  later(soonMs);
  return {
    written: () => {
      cameAt = performance.now();
      later(soonMs);
    },
    left: () => left,
    stop: () => {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
