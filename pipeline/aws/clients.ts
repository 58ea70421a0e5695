// The SDK's clients, one of each for a process: how they connect, how long they wait, how often they try.
// Credentials, region and TLS are the SDK's own business.
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { CreateSecretCommand, GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { NamedSecrets } from '#pipeline/config/secrets.ts';

/** In milliseconds. */
const connectionTimeout = 2_000;
const requestTimeout = 8_000;
const socketTimeout = 30_000;
const maxAttempts = 3;
const maxSockets = 256;

/**
 * `endpoint`: another S3 and SQS than AWS's, addressed by path and without real credentials; null: AWS.
 * `requestTimeoutMs`: another limit than 8 s for one request.
 */
export type AwsPlace = {
  readonly region: string;
  readonly endpoint: string | null;
  readonly requestTimeoutMs?: number;
};

export function createS3Client(place: AwsPlace): S3Client {
  return new S3Client({ ...commonSettings(place), forcePathStyle: place.endpoint !== null });
}

/** For sending. The body's MD5 is not compared again: TLS and the signature cover it. */
export function createSqsClient(place: AwsPlace): SQSClient {
  return new SQSClient({ ...commonSettings(place), md5: false });
}

/** For receiving: its requests may wait for 20 s (long polling). */
export function createPollingSqsClient(place: AwsPlace): SQSClient {
  return new SQSClient({ ...commonSettings(place, 30_000), md5: false });
}

/** The endpoint of S3 and SQS is not its own: another one is named by AWS_ENDPOINT_URL_EVENTBRIDGE. */
export function createEventsClient(place: AwsPlace): EventBridgeClient {
  const { endpoint: _, ...settings } = { endpoint: undefined, ...commonSettings(place) };
  return new EventBridgeClient(settings);
}

/** `secret:NAME` from Secrets Manager, NAME behind `prefix`. The client is made when the first is read. */
export function createAwsSecrets(place: AwsPlace, prefix: string): NamedSecrets {
  let named: NamedSecrets | null = null;
  return (name) => {
    named ??= secretsManagerSecrets({ client: new SecretsManagerClient(commonSettings(place)), prefix });
    return named(name);
  };
}

/** `NAME` is the secret `<prefix>NAME`; its text, or its bytes as UTF-8. Throws if there is none. Nothing is cached here. */
export function secretsManagerSecrets({
  client,
  prefix,
}: {
  readonly client: Pick<SecretsManagerClient, 'send'>;
  readonly prefix: string;
}): NamedSecrets {
  return async (name) => {
    const answer = await client.send(new GetSecretValueCommand({ SecretId: `${prefix}${name}` }));
    if (answer.SecretString !== undefined) return answer.SecretString;
    if (answer.SecretBinary !== undefined) return Buffer.from(answer.SecretBinary).toString('utf8');
    throw new Error(`secret ${prefix}${name} has no value`);
  };
}

/** Makes a secret of a name behind the prefix. `exists`: one is there and stays as it is. */
export type MakeSecret = (
  name: string,
  secret: { readonly value: string; readonly description: string },
) => Promise<'made' | 'exists'>;

/** Makes secrets in Secrets Manager, with its own key. Sent twice by the SDK, it makes one. */
export function createSecretMaker(place: AwsPlace, prefix: string): MakeSecret {
  const client = new SecretsManagerClient(commonSettings(place));
  return async (name, { value, description }) => {
    const input = { Name: `${prefix}${name}`, SecretString: value, Description: description };
    try {
      await client.send(new CreateSecretCommand(input));
      return 'made';
    } catch (thrown) {
      if (thrown instanceof Error && thrown.name === 'ResourceExistsException') return 'exists';
      throw thrown;
    }
  };
}

/** How every client connects, tries again and waits. `usualTimeoutMs`: of one request. */
export function commonSettings(
  { region, endpoint, requestTimeoutMs }: AwsPlace,
  usualTimeoutMs: number = requestTimeout,
) {
  const agent = { keepAlive: true, maxSockets };
  return {
    region,
    maxAttempts,
    ...(endpoint === null ? {} : { endpoint, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }),
    requestHandler: {
      connectionTimeout,
      requestTimeout: requestTimeoutMs ?? usualTimeoutMs,
      socketTimeout,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  };
}

/** An emulator gives a URL that cannot be reached: only its path is used, at the endpoint. */
export async function queueUrl(sqs: SQSClient, { endpoint }: AwsPlace, name: string): Promise<string> {
  const { QueueUrl = '' } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
  return endpoint === null ? QueueUrl : new URL(new URL(QueueUrl).pathname, endpoint).href;
}
