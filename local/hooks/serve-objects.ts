// The mail of this machine as S3 gives it (GetObject, HeadObject), for the handlers that are called here: a program that reads the bucket
// of a deployment reads this one unchanged. On loopback alone; who knows the random part of the endpoint may read mail, and nothing else.
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { KeyPrefix } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';

/** What a function that consumes mail may be granted. */
const readable: readonly KeyPrefix[] = ['inbox/', 'quarantine/', 'attachments/', 'raw/'];

/** `endpoint` starts the server when it is asked for first: what the SDK takes as AWS_ENDPOINT_URL_S3. */
export type ObjectServer = { readonly endpoint: () => Promise<string>; readonly close: () => void };

export type ServedObjects = { readonly store: Pick<ObjectStore, 'get'>; readonly bucket: string };

export function serveObjects(served: ServedObjects): ObjectServer {
  const token = randomBytes(24).toString('hex');
  let started: Promise<Started> | null = null;
  return {
    endpoint: async () => {
      started ??= start(`/${token}/`, served);
      const { port } = await started;
      return `http://127.0.0.1:${port}/${token}`;
    },
    close: () => void started?.then(({ server }) => server.close().closeAllConnections()),
  };
}

type Started = { readonly server: Server; readonly port: number };

async function start(before: string, served: ServedObjects): Promise<Started> {
  const server = createServer((request, response) => {
    answer(request, response, { before, ...served }).catch(() => response.destroy());
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    resolve(typeof address === 'object' && address !== null ? address.port : 0);
  });
  const port = await promise;
  server.unref();
  return { server, port };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { before, store, bucket }: ServedObjects & { readonly before: string },
): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?');
  if (!path.startsWith(before)) return refuse(response, 403, 'AccessDenied');
  if (!path.startsWith(`${before}${bucket}/`)) return refuse(response, 404, 'NoSuchBucket');
  const key = decodeURIComponent(path.slice(before.length + bucket.length + 1));
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (!isRead || !readable.some((prefix) => key.startsWith(prefix))) return refuse(response, 403, 'AccessDenied');
  const found = await store.get(key);
  if (found === null) return refuse(response, 404, 'NoSuchKey');
  response.writeHead(200, {
    'content-type': found.contentType,
    'content-length': found.bytes,
    etag: `"${found.etag.replaceAll('"', '')}"`,
  });
  if (request.method === 'HEAD') response.end();
  else await pipeline(found.body, response);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
}
