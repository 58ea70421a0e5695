// The client that `readMail` takes if it is given none. The SDK is loaded only then: a program that gives its own, or is told
// everything by webhooks, does without it. Lambda has it; elsewhere the program installs it.

/** What `readMail` uses of S3: `new S3({})` of `@aws-sdk/client-s3`, or a stand-in for tests. */
export type MailObjects = {
  readonly getObject: (object: { Bucket: string; Key: string }) => Promise<{
    Body?: { transformToByteArray(): Promise<Uint8Array> } | undefined;
  }>;
};

let client: Promise<MailObjects> | null = null;

/** One for the process; region and credentials are what the SDK finds in the environment. Rejects if the SDK is not installed. */
export function defaultS3(): Promise<MailObjects> {
  client ??= import('@aws-sdk/client-s3').then(({ GetObjectCommand, S3Client }) => {
    const s3 = new S3Client({});
    return { getObject: (object) => s3.send(new GetObjectCommand(object)) };
  }, explain);
  return client;
}

function explain(error: unknown): never {
  if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
  throw new Error('readMail needs @aws-sdk/client-s3: install it ("npm install @aws-sdk/client-s3"), or pass s3', {
    cause: error,
  });
}
