// One small request to AWS with the SDK's own credentials, signer and connections, past its middleware: that costs a fifth
// of the CPU of a command. It knows no retries and no error types: after any but the ordinary answer the caller sends the
// request by the SDK's whole client, which does.
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { SQSClient } from '@aws-sdk/client-sqs';

type Headers = Readonly<Record<string, string>>;

/** Where requests go: the origin, and the path before a key (`/bucket` if buckets are in the path), no last slash. */
export type RequestTarget = { readonly url: URL; readonly basePath: string };

/** The answer's body is cut at 64 KiB, or at what another service was said to answer at most. */
export type SmallResponse = { readonly status: number; readonly headers: Headers; readonly body: Buffer };

/** Throws if there is no answer (timeout, reset, no credentials). */
export type SignedSender = (request: {
  readonly method: 'GET' | 'PUT' | 'POST';
  /** Behind the target's base path, already percent-encoded. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array | string;
}) => Promise<SmallResponse>;

const usualBodyBytes = 65_536;

/** A service of AWS that no client of the SDK is at hand for, by its name in signatures. */
export type OtherService = { readonly name: string; readonly region: string; readonly maxBodyBytes: number };

/**
 * `target` is asked once; the signer and its keys are kept, the SDK renews credentials. `service`: another than the client's own; the
 * client is then for this alone.
 */
export function createSignedSender(
  client: Pick<S3Client, 'config'> | Pick<SQSClient, 'config'> | Pick<SecretsManagerClient, 'config'>,
  target: () => Promise<RequestTarget>,
  service?: OtherService,
): SignedSender {
  const { config } = client;
  const { maxBodyBytes = usualBodyBytes } = service ?? {};
  const scheme = service && {
    name: 'sigv4',
    signingName: service.name,
    signingRegion: service.region,
    properties: {},
  };
  let prepared: Promise<readonly [RequestTarget, Awaited<ReturnType<typeof config.signer>>]> | null = null;
  const prepare = () => {
    prepared ??= Promise.all([target(), config.signer(scheme)] as const).catch((thrown: unknown) => {
      prepared = null;
      throw thrown;
    });
    return prepared;
  };
  return async ({ method, path, headers, body }) => {
    const [{ url, basePath }, signer] = await prepare();
    const unsigned = {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      path: `${basePath}${path}`,
      query: {},
      headers: { host: url.host, ...headers },
      body,
    };
    const request = await signer.sign(unsigned);
    const { response } = await config.requestHandler.handle(request);
    return { status: response.statusCode, headers: response.headers, body: await read(response, maxBodyBytes) };
  };
}

async function read(
  response: { readonly headers: Headers; readonly body: Readable },
  maxBodyBytes: number,
): Promise<Buffer> {
  if (response.headers['content-length'] === '0') {
    response.body.resume();
    return Buffer.alloc(0);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes <= maxBodyBytes) chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
