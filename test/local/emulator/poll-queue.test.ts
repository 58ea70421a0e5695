// What stands for Lambda's event source mapping: deletes what did not fail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pollQueue } from '#local/emulator/poll-queue.ts';
import type { SqsEventRecord, SqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';

type Answer = (event: unknown) => Promise<{ batchItemFailures: { itemIdentifier: string }[] }>;

/** Polls one batch, then nothing more. */
async function pollOnce(batch: readonly SqsEventRecord[], answer: Answer) {
  const removed: string[] = [];
  const events: unknown[] = [];
  const drained = Promise.withResolvers<void>();
  let polls = 0;
  const receiver: Pick<SqsReceiver, 'receive' | 'remove'> = {
    receive: async ({ signal }) => {
      polls += 1;
      if (polls === 1) return batch;
      if (events.length > 0) drained.resolve();
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
      });
    },
    remove: async (records) => {
      removed.push(...records.map(({ messageId }) => messageId));
      drained.resolve();
    },
  };
  const log = silentLog();
  const invoke: Answer = async (event) => {
    events.push(event);
    return answer(event);
  };
  const polling = pollQueue({ source: stages.parse, receiver, invoke, log, clock: Date.now, pollers: 6 });
  await drained.promise;
  await polling.stop(1);
  return { removed, events, log };
}

function record(messageId: string, receiveCount: number): SqsEventRecord {
  return {
    messageId,
    receiptHandle: `handle of ${messageId}`,
    body: '{}',
    attributes: { ApproximateReceiveCount: String(receiveCount) },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:0:parse',
    awsRegion: 'us-east-1',
  };
}

test('records that did not fail are deleted; when the others come again is between the function and its queue', async () => {
  const batch = [record('a', 1), record('b', 1), record('c', 3), record('d', 9)];
  const failures = ['b', 'c', 'd'].map((itemIdentifier) => ({ itemIdentifier }));
  const { removed, events } = await pollOnce(batch, async () => ({ batchItemFailures: failures }));
  assert.deepEqual(events, [{ Records: batch }]);
  assert.deepEqual(removed, ['a']);
});

test('where the function throws no record is deleted, and the log says why', async () => {
  const { removed, log } = await pollOnce([record('a', 1), record('b', 2)], async () => {
    throw new Error('out of memory');
  });
  assert.deepEqual(removed, []);
  assert.match(String(log.of('invocation-failed')[0]?.fields['error']), /out of memory/);
});

test('an answer that names a record of no batch fails all of them, as Lambda has it', async () => {
  const failures = [{ itemIdentifier: 'z' }];
  const { removed } = await pollOnce([record('a', 1)], async () => ({ batchItemFailures: failures }));
  assert.deepEqual(removed, []);
});
