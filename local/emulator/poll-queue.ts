// What Lambda's event source mapping does: receives from a queue, calls the function with an SQSEvent, deletes what did
// not fail. What failed comes back when the function said, or when its visibility timeout ends; at last it is a dead letter.
// A batch that is throttled is given to the function again, ever more rarely, as long as its queue hides it.
import { setTimeout as pause } from 'node:timers/promises';
import type { SqsEventRecord, SqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import type { Clock, Log } from '#pipeline/contract/ports.ts';
import type { Stage } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { invokePatiently } from './invoke-patiently.ts';
import type { LambdaFunction } from './lambda-function.ts';

const waitSeconds = 20;
const retryMs = 1_000;

export type Polling = {
  /** Records that were received so far. */
  readonly received: () => number;
  /** Whether a batch is between its receipt and the deletion of what was done, but for those that are only gathered. */
  readonly isBusy: () => boolean;
  /** When the first of the batches that are gathered, or were throttled, is given to the function, by the clock; null: there is none. */
  readonly windowEndsAt: () => number | null;
  /** Takes nothing more; resolves when what is under way is done, at most after the grace. */
  readonly stop: (graceSeconds: number) => Promise<void>;
};

export type PollOptions = {
  /** What the mapping names: the queue, and how many records a batch has at most. */
  readonly source: Pick<Stage, 'consumes' | 'batchSize'>;
  readonly receiver: Pick<SqsReceiver, 'receive' | 'remove'>;
  readonly invoke: LambdaFunction['invoke'];
  readonly log: Log;
  /** The queue's clock, which may be ahead. */
  readonly clock: Clock;
  /** How long a batch is gathered before the function is called (Lambda's MaximumBatchingWindowInSeconds). */
  readonly windowSeconds?: number;
  /** How long the queue hides what it gave out: so long a batch that is throttled is tried; left out: once. */
  readonly visibilitySeconds?: number;
  /** How many ask the queue at once. */
  readonly pollers: number;
};

/** Starts polling for one event source. */
export function pollQueue(options: PollOptions): Polling {
  const { source, receiver, invoke, log, clock, windowSeconds = 0, visibilitySeconds = 0, pollers } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const windows = new Set<{ readonly endsAt: number }>();
  const count = { received: 0, busy: 0 };
  const receive = async (max: number, seconds: number): Promise<readonly SqsEventRecord[]> => {
    const records = await receiver.receive({ max, waitSeconds: seconds, signal });
    count.received += records.length;
    return records;
  };
  const poll = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const records = await receive(source.batchSize, waitSeconds);
        if (records.length === 0) continue;
        const hiddenUntil = clock() + visibilitySeconds * 1_000;
        await handle([...records, ...(await gather(source.batchSize - records.length))], hiddenUntil);
      } catch (thrown) {
        if (signal.aborted) return;
        log.error('poll-failed', { queue: source.consumes, ...errorFields(thrown) });
        await pause(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  /** More of the same batch: until it is full or its window is over. */
  const gather = async (room: number): Promise<readonly SqsEventRecord[]> => {
    const more: SqsEventRecord[] = [];
    const window = { endsAt: clock() + windowSeconds * 1_000 };
    windows.add(window);
    try {
      while (more.length < room && !signal.aborted) {
        const left = Math.round((window.endsAt - clock()) / 1_000);
        if (left <= 0) break;
        more.push(...(await receive(room - more.length, left)));
      }
    } finally {
      windows.delete(window);
    }
    return more;
  };
  /** While a batch is throttled nothing is under way. */
  const onWait = (endsAt: number) => {
    const window = { endsAt };
    windows.add(window);
    count.busy -= 1;
    return () => {
      count.busy += 1;
      windows.delete(window);
    };
  };
  const patience = { invoke, clock, signal, onWait };
  const handle = async (records: readonly SqsEventRecord[], hiddenUntil: number): Promise<void> => {
    count.busy += 1;
    try {
      const failed = await failuresOf(options, records, () => invokePatiently(patience, records, hiddenUntil));
      await receiver.remove(records.filter(({ messageId }) => !failed.has(messageId)));
    } finally {
      count.busy -= 1;
    }
  };
  const running = Promise.all(Array.from({ length: pollers }, poll));
  return {
    received: () => count.received,
    isBusy: () => count.busy > 0,
    windowEndsAt: () => [...windows].reduce<number | null>((so, { endsAt }) => Math.min(so ?? endsAt, endsAt), null),
    stop: (graceSeconds) => stopped(stopping, running, graceSeconds),
  };
}

/** The ids of the records that failed: all of them, where the function did not answer. */
async function failuresOf(
  { source, log }: Pick<PollOptions, 'source' | 'log'>,
  records: readonly SqsEventRecord[],
  ask: () => ReturnType<LambdaFunction['invoke']>,
): Promise<ReadonlySet<string>> {
  try {
    const { batchItemFailures } = await ask();
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    const isOfBatch = (id: string) => records.some(({ messageId }) => messageId === id);
    if (![...failed].every(isOfBatch)) throw new Error('it answered with failures that are none of the batch');
    return failed;
  } catch (thrown) {
    log.error('invocation-failed', { queue: source.consumes, records: records.length, ...errorFields(thrown) });
    return new Set(records.map(({ messageId }) => messageId));
  }
}

async function stopped(stopping: AbortController, running: Promise<unknown>, graceSeconds: number): Promise<void> {
  stopping.abort();
  const grace = new AbortController();
  const over = pause(graceSeconds * 1_000, undefined, { signal: grace.signal }).catch(() => undefined);
  await Promise.race([running, over]);
  grace.abort();
}
