// Gathers items that come one by one within a few milliseconds, and handles them as one batch.

type Waiting<Item> = {
  readonly item: Item;
  readonly done: () => void;
  readonly failed: (thrown: unknown) => void;
};

/**
 * Returns a function that resolves when its item was in a successful `flush`. A flush has at most `maxItems` items of at
 * most `maxBytes` together and starts `lingerMs` after its first, or later if `mayGrow`, asked with the number of items, says that more
 * may come: at the latest `longestMs` after its first. It answers each item's Error or null.
 */
export function createCoalescer<Item>({
  maxItems,
  maxBytes,
  lingerMs,
  longestMs = lingerMs,
  mayGrow = () => false,
  sizeOf,
  flush,
}: {
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
  readonly longestMs?: number;
  readonly mayGrow?: (items: number) => boolean;
  readonly sizeOf: (item: Item) => number;
  readonly flush: (items: readonly Item[]) => Promise<readonly (Error | null | undefined)[]>;
}): (item: Item) => Promise<void> {
  let waiting: Waiting<Item>[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | null = null;

  const flushWaiting = (): void => {
    const batch = waiting;
    waiting = [];
    bytes = 0;
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (batch.length > 0) void settle(batch, flush);
  };
  const linger = (lingered: number): void => {
    if (lingered < longestMs && mayGrow(waiting.length)) timer = setTimeout(linger, lingerMs, lingered + lingerMs);
    else flushWaiting();
  };
  return (item) =>
    new Promise((done, failed) => {
      const size = sizeOf(item);
      if (bytes + size > maxBytes) flushWaiting();
      waiting.push({ item, done, failed });
      bytes += size;
      if (waiting.length >= maxItems) flushWaiting();
      else timer ??= setTimeout(linger, lingerMs, lingerMs);
    });
}

async function settle<Item>(
  batch: readonly Waiting<Item>[],
  flush: (items: readonly Item[]) => Promise<readonly (Error | null | undefined)[]>,
): Promise<void> {
  try {
    const errors = await flush(batch.map(({ item }) => item));
    for (const [index, { done, failed }] of batch.entries()) {
      const error = errors[index];
      if (error === null) done();
      else failed(error ?? new Error('there was no answer for this item'));
    }
  } catch (thrown) {
    for (const { failed } of batch) failed(thrown);
  }
}

/** How many jobs of an invocation are running: what one of them sends waits a moment for what the others may still send. */
export type JobsUnderWay = {
  /** Counts a run from its beginning to its end. */
  readonly during: <Result>(run: () => Promise<Result>) => Promise<Result>;
  readonly count: () => number;
};

/** One for a process: Lambda gives a sandbox one invocation at a time. */
export function createJobsUnderWay(): JobsUnderWay {
  let running = 0;
  return {
    during: async (run) => {
      running += 1;
      try {
        return await run();
      } finally {
        running -= 1;
      }
    },
    count: () => running,
  };
}
