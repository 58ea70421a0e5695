// Finds a deployment on AWS by its name alone: cdk/ names its bucket and queues after it, and the account is in the URL that
// SQS gives for a queue. The use cases run on the same adapters as the functions.
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { MailDeps } from '#ops/deps.ts';
import { createReplayMessage } from '#ops/messages/replay-message.ts';
import { createAcceptMessage } from '#ops/releases/accept-message.ts';
import { createReleases } from '#ops/releases/send-release.ts';
import { createRetryDelivery } from '#ops/retry-delivery.ts';
import {
  type AwsPlace,
  createAwsSecrets,
  createPollingSqsClient,
  createS3Client,
  createSecretMaker,
  createSqsClient,
  type MakeSecret,
  queueUrl,
} from '#pipeline/aws/clients.ts';
import { configObject, lastGoodConfig } from '#pipeline/aws/config-object.ts';
import { createDeadLetters, type QueuePair } from '#pipeline/aws/dead-letters.ts';
import { createAwsIntake } from '#pipeline/aws/intake.ts';
import { createLogSearch } from '#pipeline/aws/operator/log-search.ts';
import { createSesReader, type SesReader } from '#pipeline/aws/operator/ses.ts';
import { createS3Folders, createS3Store } from '#pipeline/aws/s3-store.ts';
import { createUploads } from '#pipeline/aws/s3-upload.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import { polledConfigSource } from '#pipeline/config/config-source.ts';
import { createSecrets } from '#pipeline/config/secrets.ts';
import { storedHashes } from '#pipeline/config/stored-hashes.ts';
import type { Clock, Log, ObjectStore, Secrets } from '#pipeline/contract/ports.ts';
import { deadLetterQueue, type QueueName } from '#pipeline/contract/stages.ts';
import { createAwsAdmin } from './aws-admin.ts';
import { type ConfigStore, createConfigStore } from './config-store.ts';
import { createLogFinder } from './find-log-lines.ts';

/** Its name (`serviceName` of cdk.json), and where it is. */
export type Deployment = AwsPlace & { readonly name: string };

export type DeploymentTools = {
  readonly clock: Clock;
  readonly log: Log;
  /** Gets a sentence at each step of long work. */
  readonly onProgress: (sentence: string) => void;
};

const configRefreshSeconds = 30;

/** What is asked of a deployment: as of any service, its configuration file, its secrets, and SES. */
export type OpenedDeployment = MailDeps & {
  readonly configStore: ConfigStore;
  /** Reads what the functions can read: `secret:NAME` alone. */
  readonly secrets: Secrets;
  readonly makeSecret: MakeSecret;
  readonly ses: (region: string) => SesReader;
};

/** Rejects with SQS's own error (`QueueDoesNotExist`) if there is none of that name. */
export async function openDeployment(deployment: Deployment, tools: DeploymentTools): Promise<OpenedDeployment> {
  const { name, region } = deployment;
  const polling = createPollingSqsClient(deployment);
  const receivedUrl = await queueUrl(polling, deployment, `${name}-received`);
  const account = /\/(\d{12})\/[^/]+$/.exec(receivedUrl)?.[1];
  if (account === undefined) throw new Error(`SQS gave a URL without an account: ${receivedUrl}`);
  const queues = queuePairs(receivedUrl);
  const place = { s3: createS3Client(deployment), bucket: `${name}-mail-${account}-${region}` };
  const store = createS3Store(place);
  const jobs = createSqsSender({
    sqs: createSqsClient(deployment),
    queueUrls: { received: queues('received').url, parse: queues('parse').url, deliver: queues('deliver').url },
    clock: tools.clock,
  });
  const config = polledConfigSource({
    ...configObject(place),
    lastGood: lastGoodConfig(place, { keeps: false }),
    refreshSeconds: configRefreshSeconds,
    ...tools,
  });
  const secrets = deployedSecrets(deployment, store, tools.clock);
  const reader = { list: store.list, folders: createS3Folders(place) };
  const deadLetters = createDeadLetters({ sqs: polling, region, tell: tools.onProgress });
  const admin = createAwsAdmin({ store, reader, config, queues, deadLetters, ...tools });
  const newMessageId = messageIdFactory();
  return {
    store,
    configStore: createConfigStore(store, { bucket: place.bucket, stack: name }),
    secrets,
    makeSecret: createSecretMaker(deployment, secretsPrefix(deployment)),
    ses: (sesRegion) => createSesReader({ ...deployment, region: sesRegion }),
    clock: tools.clock,
    admin,
    findLogLines: createLogFinder({ search: createLogSearch(deployment), serviceName: name, clock: tools.clock }),
    retryDelivery: createRetryDelivery({ store, jobs, clock: tools.clock }),
    replayMessage: createReplayMessage({
      store,
      jobs,
      intake: createAwsIntake({ upload: createUploads(place), jobs }),
      config,
      srsSecret: async () => secrets.read((await config.current()).srsSecret ?? 'secret:srs'),
      newMessageId,
      clock: tools.clock,
    }),
    releases: createReleases({ store, jobs, config, newMessageId, clock: tools.clock }),
    acceptMessage: createAcceptMessage({ admin, store, jobs, clock: tools.clock }),
  };
}

/** What the functions read by `secret:NAME`, and the listener by `stored:ID`. A file or variable of this machine is none of theirs. */
function deployedSecrets(deployment: Deployment, store: ObjectStore, clock: Clock): Secrets {
  const named = createAwsSecrets(deployment, secretsPrefix(deployment));
  const { read } = createSecrets({ named, stored: storedHashes(store), directory: '.', environment: {}, clock });
  return {
    read: async (reference, how) => {
      if (!/^(secret|stored):/.test(reference))
        throw new Error('on AWS secrets are in Secrets Manager ("secret:NAME")');
      return read(reference, how);
    },
  };
}

function secretsPrefix({ name }: Deployment): string {
  return `${name}/`;
}

/** The URLs of all queues differ only in the end of the name. */
function queuePairs(receivedUrl: string): (queue: QueueName) => QueuePair {
  const base = receivedUrl.slice(0, -'received'.length);
  return (queue) => ({ url: `${base}${queue}`, deadUrl: `${base}${deadLetterQueue(queue)}` });
}
