// A deployment as cdk/ names it, in the emulator: bucket, queues and first configuration; its stages are run by hand.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Aws } from 'aws-cdk-lib';
import { bucketName, deadLettersName, queueName } from '#cdk/names.ts';
import { authenticate } from '#functions/authenticate/authenticate.ts';
import { parse } from '#functions/parse/parse.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import { createPollingSqsClient, createS3Client, createSqsClient } from '#pipeline/aws/clients.ts';
import { createAwsIntake } from '#pipeline/aws/intake.ts';
import { unpacked } from '#pipeline/aws/pack.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { createUploads } from '#pipeline/aws/s3-upload.ts';
import { createSqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { jobSchemas } from '#pipeline/contract/jobs.ts';
import { configKey } from '#pipeline/contract/keys.ts';
import { type QueueName, queueNames } from '#pipeline/contract/stages.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';

const region = 'us-east-1';
const account = '000000000000';

export type EmulatedDeployment = Awaited<ReturnType<typeof emulateDeployment>>;

/** Starts it under a name. */
export async function emulateDeployment(serviceName: string, config: ConfigInput) {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-stack-'));
  const bucket = bucketName({ serviceName }).replace(Aws.ACCOUNT_ID, account).replace(Aws.REGION, region);
  const order = {
    folder,
    port: 0,
    bucket,
    queues: queueNames.map((queue) => ({
      name: queueName({ serviceName }, queue),
      visibilitySeconds: 60,
      maxReceives: 3,
    })),
  };
  const entry = fileURLToPath(new URL('../../../local/emulator/emulator-process.ts', import.meta.url));
  const child = fork(entry, [JSON.stringify(order)], { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as any;
  const place = { region, endpoint: `http://127.0.0.1:${port}` };
  const s3 = createS3Client(place);
  const store = createS3Store({ s3, bucket });
  await store.put({ key: configKey, body: Buffer.from(JSON.stringify(config)), contentType: 'application/json' });
  const urlOf = (name: string): string => `${place.endpoint}/${account}/${name}`;
  const url = (queue: QueueName): string => urlOf(queueName({ serviceName }, queue));
  const queueUrls = Object.fromEntries(queueNames.map((queue) => [queue, url(queue)]));
  const sqs = createSqsClient(place);
  const jobs = createSqsSender({ sqs, queueUrls, clock: Date.now });
  const deps = {
    store,
    jobs,
    config: fixedConfig(config),
    secrets: { read: async () => 'a secret of this test' },
    resolve: zoneResolver({}),
    lane: 'slow' as const,
    clock: Date.now,
    log: silentLog(),
    metrics: noMetrics(),
  };
  const parser = createParser({ workers: 1 });
  const receiverOf = (queueUrl: string) =>
    createSqsReceiver({ sqs: createPollingSqsClient(place), queueUrl, queueArn: '', region });
  const drain = async (queue: 'received' | 'parse'): Promise<number> => {
    const receiver = receiverOf(url(queue));
    let count = 0;
    for (;;) {
      const records = await receiver.receive({ max: 10, waitSeconds: 0 });
      if (records.length === 0) return count;
      for (const { body } of records.flatMap(unpacked)) {
        if (queue === 'received')
          await authenticate(deps, jobSchemas.received.parse(JSON.parse(body)), { receiveCount: 1 });
        else await parse({ ...deps, parser }, jobSchemas.parse.parse(JSON.parse(body)), { receiveCount: 1 });
      }
      await receiver.remove(records);
      count += records.length;
    }
  };
  return {
    ...place,
    bucket,
    store,
    jobs,
    sqs,
    deadUrl: (queue: QueueName) => urlOf(deadLettersName({ serviceName }, queue)),
    intake: createAwsIntake({ upload: createUploads({ s3, bucket }), jobs }),
    /** Judges and parses whatever waits; how many jobs that were. */
    runStages: async () => (await drain('received')) + (await drain('parse')),
    close: async () => {
      await parser.close();
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
