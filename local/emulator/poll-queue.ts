// What Lambda's event source mapping does: receives from a queue, calls the function with an SQSEvent, deletes what did
// not fail. What failed comes back when the function said, or when its visibility timeout ends; at last it is a dead letter.
import { setTimeout as pause } from 'node:timers/promises';
import type { SqsEventRecord, SqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import type { Log } from '#pipeline/contract/ports.ts';
import type { Stage } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import type { Sandbox } from './sandbox.ts';

const minPollers = 4;
const waitSeconds = 20;
const retryMs = 1_000;

export type Polling = {
  /** Takes nothing more; resolves when what is under way is done, at most after the grace. */
  readonly stop: (graceSeconds: number) => Promise<void>;
};

/** Starts polling for one stage. */
export function pollQueue({
  stage,
  receiver,
  sandbox,
  log,
  windowSeconds = 0,
  pollers = Math.max(minPollers, Math.ceil(stage.maxConcurrency.local / stage.batchSize)),
}: {
  readonly stage: Stage;
  readonly receiver: Pick<SqsReceiver, 'receive' | 'remove'>;
  /** How long a batch is gathered before the function is called (Lambda's MaximumBatchingWindowInSeconds). */
  readonly windowSeconds?: number;
  /** How many ask the queue at once; left out: as many as the stage's local concurrency asks for. */
  readonly pollers?: number;
  readonly sandbox: Pick<Sandbox, 'invoke'>;
  readonly log: Log;
}): Polling {
  const stopping = new AbortController();
  const { signal } = stopping;
  const poll = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const records = [...(await receiver.receive({ max: stage.batchSize, waitSeconds, signal }))];
        if (windowSeconds > 0 && records.length > 0) records.push(...(await gather(stage.batchSize - records.length)));
        if (records.length > 0) await handle(records);
      } catch (thrown) {
        if (signal.aborted) return;
        log.error('poll-failed', { queue: stage.consumes, ...errorFields(thrown) });
        await pause(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  /** More of the same batch: until it is full or its window is over. */
  const gather = async (room: number): Promise<readonly SqsEventRecord[]> => {
    const more: SqsEventRecord[] = [];
    const end = performance.now() + windowSeconds * 1_000;
    while (more.length < room && !signal.aborted) {
      const left = Math.round((end - performance.now()) / 1_000);
      if (left <= 0) break;
      more.push(...(await receiver.receive({ max: room - more.length, waitSeconds: left, signal })));
    }
    return more;
  };
  const handle = async (records: readonly SqsEventRecord[]): Promise<void> => {
    const failed = await failuresOf(records);
    await receiver.remove(records.filter(({ messageId }) => !failed.has(messageId)));
  };
  const failuresOf = async (records: readonly SqsEventRecord[]): Promise<ReadonlySet<string>> => {
    try {
      const { batchItemFailures } = await sandbox.invoke({ Records: records });
      return new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    } catch (thrown) {
      log.error('invocation-failed', { stage: stage.name, records: records.length, ...errorFields(thrown) });
      return new Set(records.map(({ messageId }) => messageId));
    }
  };
  const running = Promise.all(Array.from({ length: pollers }, poll));
  return {
    stop: async (graceSeconds) => {
      stopping.abort();
      const grace = new AbortController();
      const over = pause(graceSeconds * 1_000, undefined, { signal: grace.signal }).catch(() => undefined);
      await Promise.race([running, over]);
      grace.abort();
    },
  };
}
