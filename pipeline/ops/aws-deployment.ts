// A deployment on AWS found by its name alone: cdk/ names its bucket and queues after it, and the account is in the URL
// that SQS gives for a queue. Everything the routes need is built on the adapters that the functions run on.
import { GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { messageIdFactory } from '#mail/message-id.ts';
import {
  type AwsPlace,
  createAwsSecrets,
  createPollingSqsClient,
  createS3Client,
  createSqsClient,
} from '#pipeline/aws-clients.ts';
import { createAwsIntake } from '#pipeline/aws-intake.ts';
import { polledConfigSource } from '#pipeline/config-source.ts';
import { createDeadLetters, type QueuePair } from '#pipeline/dead-letters.ts';
import type { QueueName } from '#pipeline/jobs.ts';
import { configKey } from '#pipeline/keys.ts';
import type { Clock, Log } from '#pipeline/ports.ts';
import { createS3Folders } from '#pipeline/s3-folders.ts';
import { createS3Store, fetchObjectText } from '#pipeline/s3-store.ts';
import { createUploads } from '#pipeline/s3-upload.ts';
import { createSecrets } from '#pipeline/secrets.ts';
import { createSqsSender } from '#pipeline/sqs-sender.ts';
import { createAwsAdmin } from './aws-admin.ts';
import { createReplayMessage } from './replay-message.ts';
import { createRetryDelivery } from './retry-delivery.ts';
import type { MailRouteDeps } from './routes.ts';

/** Its name (`serviceName` of cdk.json), and where it is. */
export type Deployment = AwsPlace & { readonly name: string };

export type DeploymentTools = {
  readonly clock: Clock;
  readonly log: Log;
  /** Hears how far long work is, as sentences. */
  readonly tell: (sentence: string) => void;
};

const configRefreshSeconds = 30;

/** Finds it; rejects with SQS's own error (`QueueDoesNotExist`) where there is none of that name. */
export async function openDeployment(deployment: Deployment, tools: DeploymentTools): Promise<MailRouteDeps> {
  const { name, region } = deployment;
  const polling = createPollingSqsClient(deployment);
  const receivedUrl = await urlOf(polling, deployment, `${name}-received`);
  const account = /\/(\d{12})\/[^/]+$/.exec(receivedUrl)?.[1];
  if (account === undefined) throw new Error(`SQS gave a URL without an account: ${receivedUrl}`);
  const queues = queuePairs(receivedUrl, name);
  const place = { s3: createS3Client(deployment), bucket: `${name}-mail-${account}-${region}` };
  const store = createS3Store(place);
  const jobs = createSqsSender({
    sqs: createSqsClient(deployment),
    queueUrls: { received: queues.received.url, deliver: queues.deliver.url },
    clock: tools.clock,
  });
  const fetch = fetchObjectText({ ...place, key: configKey });
  const where = `s3://${place.bucket}/${configKey}`;
  const config = polledConfigSource({ where, fetch, refreshSeconds: configRefreshSeconds, ...tools });
  const named = createAwsSecrets(deployment, `${name}/`);
  const secrets = createSecrets({ named, directory: '.', environment: {}, clock: tools.clock });
  const reader = { list: store.list, folders: createS3Folders(place) };
  const deadLetters = createDeadLetters({ sqs: polling, region, tell: tools.tell });
  return {
    store,
    clock: tools.clock,
    admin: createAwsAdmin({ store, reader, config, queues, deadLetters, tell: tools.tell }),
    retryDelivery: createRetryDelivery({ store, jobs, clock: tools.clock }),
    replayMessage: createReplayMessage({
      store,
      jobs,
      intake: createAwsIntake({ upload: createUploads(place), jobs }),
      config,
      srsSecret: async () => secrets.read((await config.current()).srsSecret ?? 'secret:srs'),
      newMessageId: messageIdFactory(),
      clock: tools.clock,
    }),
  };
}

/** An emulator tells a URL that nobody can reach: its path is what counts, at the endpoint. */
async function urlOf(sqs: SQSClient, { endpoint }: AwsPlace, QueueName: string): Promise<string> {
  const { QueueUrl = '' } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
  return endpoint === null ? QueueUrl : new URL(new URL(QueueUrl).pathname, endpoint).href;
}

function queuePairs(receivedUrl: string, name: string): Readonly<Record<QueueName, QueuePair>> {
  const base = receivedUrl.slice(0, -`${name}-received`.length);
  const pair = (queue: QueueName): QueuePair => ({
    url: `${base}${name}-${queue}`,
    deadUrl: `${base}${name}-${queue}-dead`,
  });
  return {
    received: pair('received'),
    'received-slow': pair('received-slow'),
    parse: pair('parse'),
    deliver: pair('deliver'),
  };
}
