// The AWS adapters keep the contracts, over S3 and SQS emulated; early jobs hop as they do behind Lambda.
import assert from 'node:assert/strict';
import { createAwsIntake } from '#pipeline/aws/intake.ts';
import { consumeSqsEvent } from '#pipeline/aws/sqs-event-consumer.ts';
import type { SqsEventRecord } from '#pipeline/aws/sqs-receiver.ts';
import { type QueueName, stages } from '#pipeline/contract/stages.ts';
import { emulatedAws } from '#test/support/aws/emulated-aws.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { intakeContract } from './intake-contract.ts';
import { objectStoreContract } from './object-store-contract.ts';
import { queueContract, type ReceivedBody } from './queue-contract.ts';

type World = Awaited<ReturnType<typeof emulatedAws>>;

objectStoreContract('S3 store', async () => ({ store: (await emulatedAws()).store, close: async () => {} }));

queueContract('SQS queue', async () => {
  const world = await emulatedAws();
  return {
    jobs: world.jobs,
    receive: (queue, max) => receive(world, queue, max),
    advance: world.advance,
    nowIso: () => new Date(world.clock()).toISOString(),
    close: async () => {},
  };
});

intakeContract('S3 and SQS intake', async () => {
  const world = await emulatedAws();
  const { upload, jobs, store } = world;
  return {
    intake: createAwsIntake({ upload, jobs }),
    store,
    receivedJobs: async () => (await receiveAll(world, 'received')).map(({ body }) => body),
    close: async () => {},
  };
});

/** One invocation by SQS: what the stage would have been given is what was received. */
async function receive(world: World, queue: QueueName, max: number): Promise<readonly ReceivedBody[]> {
  const receiver = world.receiver(queue);
  const received: ReceivedBody[] = [];
  for (const record of await receiver.receive({ max, waitSeconds: 0 })) {
    const wasRun = await run(world, queue, record);
    if (!wasRun) await receiver.remove([record]);
    else {
      received.push({
        body: record.body,
        receiveCount: Number(record.attributes['ApproximateReceiveCount']),
        done: () => receiver.remove([record]),
        giveBack: () => receiver.release([record], 0),
      });
    }
  }
  return received;
}

async function run(world: World, queue: QueueName, record: SqsEventRecord): Promise<boolean> {
  let runs = 0;
  const answer = await consumeSqsEvent(
    { Records: [record] },
    {
      queue,
      stage: stages.deliver,
      run: async () => {
        runs += 1;
        return { outcome: 'received' };
      },
      jobs: world.jobs,
      putBack: async () => assert.fail('the job is no pack'),
      changeVisibility: async () => undefined,
      moveToDeadLetters: async () => assert.fail('the job did not fail'),
      config: fixedConfig(),
      random: Math.random,
      clock: world.clock,
      log: silentLog(),
      metrics: noMetrics(),
    },
  );
  if (answer.batchItemFailures.length > 0) throw new Error('the record was not consumed');
  return runs > 0;
}

async function receiveAll(world: World, queue: QueueName): Promise<readonly ReceivedBody[]> {
  const all: ReceivedBody[] = [];
  for (;;) {
    const some = await receive(world, queue, 10);
    if (some.length === 0) return all;
    for (const one of some) await one.done();
    all.push(...some);
  }
}
