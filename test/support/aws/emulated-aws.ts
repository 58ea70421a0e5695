// S3 and SQS emulated, one process for a test file: each world gets a bucket of its own and empty queues.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { PurgeQueueCommand } from '@aws-sdk/client-sqs';
import { type Emulator, startEmulator } from '#local/emulator/emulator.ts';
import { createPollingSqsClient, createS3Client, createSqsClient } from '#pipeline/aws/clients.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { createUploads } from '#pipeline/aws/s3-upload.ts';
import { createSqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import { type QueueName, queueNames } from '#pipeline/contract/stages.ts';

let shared: Promise<{ emulator: Emulator; folder: string }> | null = null;
let count = 0;

after(async () => {
  if (shared === null) return;
  const { emulator, folder } = await shared;
  await emulator.close();
  await rm(folder, { recursive: true, force: true });
});

/** A world over the file's emulator; `setAhead` moves its clock and the emulator's. */
export async function emulatedAws() {
  shared ??= start();
  const { emulator } = await shared;
  const s3 = createS3Client(emulator);
  const sqs = createSqsClient(emulator);
  const bucket = `test-${++count}`;
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  for (const name of queueNames) await sqs.send(new PurgeQueueCommand({ QueueUrl: emulator.queueUrl(name) }));
  let aheadMs = 0;
  await emulator.setAhead(0);
  const clock = () => Date.now() + aheadMs;
  const queueUrls = Object.fromEntries(queueNames.map((name) => [name, emulator.queueUrl(name)]));
  return {
    emulator,
    s3,
    sqs,
    bucket,
    clock,
    queueUrls,
    store: createS3Store({ s3, bucket }),
    upload: createUploads({ s3, bucket }),
    jobs: createSqsSender({ sqs, queueUrls, clock }),
    receiver: (queue: QueueName) =>
      createSqsReceiver({
        sqs: createPollingSqsClient(emulator),
        queueUrl: emulator.queueUrl(queue),
        queueArn: emulator.queueArn(queue),
        region: emulator.region,
      }),
    advance: async (seconds: number) => {
      aheadMs += seconds * 1_000;
      await emulator.setAhead(aheadMs);
    },
  };
}

async function start() {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-emulator-'));
  const emulator = await startEmulator({ folder, onChange: () => {} });
  return { emulator, folder };
}
