// Keeps the records of a running invocation hidden in short steps. If the function ends in the middle (out of memory, over its
// time), they come back when the last step ends, not when the queue's visibility timeout does.
import type { Log } from '#pipeline/contract/ports.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import type { VisibilityChanger } from './sqs-receiver.ts';

/** The first step; each further one is longer, so that a run of a quarter of an hour takes some twenty requests, not ninety. */
const firstStepMs = 10_000;
const stepGrowth = 1.5;
const longestStepMs = 60_000;
/**
 * So many steps a record stays hidden if nothing is heard of its function any more, 20 to 40 s at first: not all of a batch come back in
 * one moment.
 */
const hiddenSteps = { least: 2, most: 4 };
const slowMs = 3_000;

export type HeldBatch = {
  /** From now on somebody else says when this record comes back. */
  readonly letGo: (receiptHandle: string) => void;
  /** The invocation is about to be answered. */
  readonly end: () => void;
};

export type HoldDeps = {
  readonly queue: QueueName;
  readonly changeVisibility: VisibilityChanger;
  readonly log: Log;
  /** 0 to 1. */
  readonly random: () => number;
};

/**
 * Holds them, `fromStart` or once the run has taken a while: most never do, and cost no request. Resolves when the first step is taken.
 * If a step fails the log says so, and the records stay hidden as they were.
 */
export async function holdBatch(
  { queue, changeVisibility, log, random }: HoldDeps,
  receiptHandles: readonly string[],
  { fromStart }: { readonly fromStart: boolean },
): Promise<HeldBatch> {
  const held = new Set(receiptHandles);
  const { least, most } = hiddenSteps;
  let stepMs = firstStepMs;
  const secondsOf = (): number => ((least + random() * (most - least)) * stepMs) / 1_000;
  const renew = async (): Promise<void> => {
    if (held.size === 0) return;
    const records = [...held].map((receiptHandle) => ({ receiptHandle, seconds: secondsOf() }));
    await changeVisibility(queue, records).catch((thrown: unknown) => {
      log.warn('job-hidden-longer', { queue, ...errorFields(thrown) });
    });
  };
  let timer: NodeJS.Timeout;
  const renewIn = (ms: number): void => {
    timer = setTimeout(() => {
      void renew();
      renewIn(stepMs);
      stepMs = Math.min(stepMs * stepGrowth, longestStepMs);
    }, ms);
  };
  if (fromStart) await renew();
  renewIn(fromStart ? firstStepMs : slowMs);
  return { letGo: (receiptHandle) => void held.delete(receiptHandle), end: () => clearTimeout(timer) };
}
