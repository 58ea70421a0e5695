// How Lambda gives a batch to a function whose account runs as much as it may: again and again, ever more rarely, as long as the batch
// is hidden. Then it is dropped, and comes back from its queue.
import { setTimeout as pause } from 'node:timers/promises';
import type { SqsEventRecord } from '#pipeline/aws/sqs-receiver.ts';
import type { Clock } from '#pipeline/contract/ports.ts';
import { isThrottled, type LambdaFunction } from './lambda-function.ts';

const firstMs = 1_000;
const longestMs = 10_000;
const lookMs = 10;

export type PatientInvoke = {
  readonly invoke: LambdaFunction['invoke'];
  /** The queue's clock, which may be ahead. */
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Hears until when is waited; what it answers is called then. */
  readonly onWait: (endsAt: number) => () => void;
};

/** Rejects where the function does, and where it is throttled for so long. */
export async function invokePatiently(
  { invoke, clock, signal, onWait }: PatientInvoke,
  records: readonly SqsEventRecord[],
  hiddenUntil: number,
): ReturnType<LambdaFunction['invoke']> {
  for (let throttles = 0; ; throttles += 1) {
    try {
      return await invoke({ Records: records });
    } catch (thrown) {
      const nextAt = clock() + Math.min(firstMs * 2 ** throttles, longestMs);
      if (!isThrottled(thrown) || nextAt >= hiddenUntil || signal.aborted) throw thrown;
      const over = onWait(nextAt);
      while (clock() < nextAt && !signal.aborted) await pause(lookMs);
      over();
    }
  }
}
