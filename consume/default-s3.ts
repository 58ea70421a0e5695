// The client that `readMail` takes if it is given none. The SDK is loaded only then: a program that gives its own, or is told
// everything by webhooks, does without it.
import type { S3 } from '@aws-sdk/client-s3';

let client: Promise<S3> | null = null;

/** One for the process; region and credentials are what the SDK finds in the environment. */
export function defaultS3(): Promise<S3> {
  client ??= import('@aws-sdk/client-s3').then((sdk) => new sdk.S3({}));
  return client;
}
