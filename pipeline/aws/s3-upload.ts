// Writing an object to S3: one PutObject up to 8 MiB, a multipart upload above, with at most two parts in flight, so that
// memory does not grow with the object. Conditional writes stay correct if an answer got lost: each write carries a mark of
// its own, which tells a conflict with ourselves from one with another writer.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { PutOutcome, PutRequest } from '#pipeline/contract/ports.ts';
import { createSignedSender, type RequestTarget, type SignedSender } from './signed-request.ts';

/** The user metadata field of a write's mark; readers never see it. */
export const writeMark = 'pillarbox-write';

const singleBytes = 8 * 1_048_576;
/** The smallest that S3 takes. */
const partBytes = 5 * 1_048_576;
const partsInFlight = 2;
const maxConflictRetries = 5;
/** S3 takes 2 KB of user metadata, names included; our mark needs some. */
const maxMetadataBytes = 2_048 - 64;

/**
 * An object being written. `write` answers undefined, or a promise to wait for before the next chunk. `finish` resolves
 * when the object is durable. `abort` may follow a failed `write` or `finish`; nothing of the object is then visible.
 */
export type Upload = {
  readonly write: (chunk: Uint8Array) => Promise<void> | undefined;
  readonly finish: () => Promise<PutOutcome>;
  readonly abort: () => Promise<void>;
};

export type UploadRequest = Omit<PutRequest, 'body' | 'sharedTail'>;

/** Throws if the metadata is not ASCII or too long. */
export type OpenUpload = (request: UploadRequest) => Upload;

type Bucket = { readonly s3: S3Client; readonly bucket: string };
type Target = Bucket & { readonly request: UploadRequest; readonly mark: string };

export function createUploads({ s3, bucket }: Bucket): OpenUpload {
  const send = createSignedSender(s3, () => bucketTarget({ s3, bucket }));
  return (request) => {
    checkMetadata(request);
    return openUpload({ s3, bucket, request, mark: randomUUID() }, send);
  };
}

function openUpload(target: Target, send: SignedSender): Upload {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let multipart: Multipart | null = null;

  const takePart = (): Buffer => {
    const all = Buffer.concat(chunks, bytes);
    const rest = Buffer.from(all.subarray(partBytes));
    chunks = [rest];
    bytes = rest.length;
    return all.subarray(0, partBytes);
  };
  const writeParts = async (): Promise<void> => {
    multipart ??= createMultipart(target);
    while (bytes > partBytes) await multipart.add(takePart());
  };
  return {
    write: (chunk) => {
      chunks.push(chunk);
      bytes += chunk.length;
      return bytes > (multipart === null ? singleBytes : partBytes) ? writeParts() : undefined;
    },
    finish: async () => {
      const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes);
      chunks = [];
      if (multipart === null) return putSingle(target, body, send);
      await multipart.add(body);
      return multipart.complete();
    },
    abort: async () => {
      chunks = [];
      await multipart?.abort();
    },
  };
}

/** The ordinary case is a signed request; after any other answer the SDK's whole client sends it, with its retries. */
async function putSingle(target: Target, body: Uint8Array, send: SignedSender): Promise<PutOutcome> {
  const { key, contentType, condition } = target.request;
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  const headers: Record<string, string> = {
    'content-length': String(body.length),
    'content-type': contentType,
    'x-amz-checksum-crc32': checksum.toString('base64'),
  };
  if (condition !== undefined && 'ifAbsent' in condition) headers['if-none-match'] = '*';
  if (condition !== undefined && 'ifMatch' in condition) headers['if-match'] = condition.ifMatch;
  for (const [name, value] of Object.entries(metadataOf(target))) headers[`x-amz-meta-${name}`] = value;
  const path = `/${encodeKey(key)}`;
  const response = await send({ method: 'PUT', path, headers, body }).catch(() => null);
  const etag = response?.headers['etag'];
  if (response?.status === 200 && etag !== undefined) return { outcome: 'stored', etag };
  if (response?.status === 412) return { outcome: 'conflict' };
  const place = { Bucket: target.bucket, Key: key, ContentType: contentType, Metadata: metadataOf(target) };
  const input = { ...place, Body: body, ...conditionOf(target) };
  return untilDecided(target, () => target.s3.send(new PutObjectCommand(input)));
}

/** Runs a write until it is done or refused. A 409 (two writers at once) is tried again (S3 user guide). */
async function untilDecided(target: Target, write: () => Promise<{ ETag?: string | undefined }>): Promise<PutOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { ETag: etag } = await write();
      if (etag === undefined) throw new Error(`S3 gave no ETag for ${target.request.key}`);
      return { outcome: 'stored', etag };
    } catch (thrown) {
      const status = httpStatusOf(thrown);
      const decided = status === 412 || status === 404;
      if (decided) return (await ownWrite(target)) ?? refused(status, target, thrown);
      if (status !== 409 || attempt > maxConflictRetries) throw thrown;
      await pause(2 ** attempt * 20 * (0.5 + Math.random()));
    }
  }
}

function refused(status: number, target: Target, thrown: unknown): PutOutcome {
  const { condition } = target.request;
  if (status === 404 && !(condition && 'ifMatch' in condition)) throw thrown;
  return { outcome: 'conflict' };
}

/** What this very write answered, if the answer was lost and it was tried again; null if another wrote what is there. */
async function ownWrite({ s3, bucket, request, mark }: Target): Promise<PutOutcome | null> {
  const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: request.key })).catch((thrown: unknown) => {
    if (httpStatusOf(thrown) === 404 || httpStatusOf(thrown) === 403) return null; // 403: it may write, not read
    throw thrown;
  });
  if (head?.Metadata?.[writeMark] !== mark || head.ETag === undefined) return null;
  return { outcome: 'stored', etag: head.ETag };
}

type Multipart = {
  readonly add: (part: Uint8Array) => Promise<void>;
  readonly complete: () => Promise<PutOutcome>;
  readonly abort: () => Promise<void>;
};

type Part = { readonly PartNumber: number; readonly ETag: string; readonly ChecksumCRC32: string };

function createMultipart(target: Target): Multipart {
  const { s3, bucket, request } = target;
  const place = { Bucket: bucket, Key: request.key };
  const parts: Part[] = [];
  const running = new Set<Promise<void>>();
  let failure: { readonly thrown: unknown } | null = null;
  let number = 0;
  const started = startMultipart(target);
  started.catch(() => undefined);

  const upload = async (body: Uint8Array, PartNumber: number): Promise<void> => {
    const input = { ...place, UploadId: await started, PartNumber, Body: body, ChecksumAlgorithm: 'CRC32' } as const;
    const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand(input));
    if (ETag === undefined || ChecksumCRC32 === undefined)
      throw new Error(`S3 gave no ETag for a part of ${request.key}`);
    parts.push({ PartNumber, ETag, ChecksumCRC32 });
  };
  const orFail = (): void => {
    if (failure !== null) throw failure.thrown;
  };
  return {
    add: async (body) => {
      orFail();
      number += 1;
      const one: Promise<void> = upload(body, number).then(
        () => void running.delete(one),
        (thrown: unknown) => {
          running.delete(one);
          failure ??= { thrown };
        },
      );
      running.add(one);
      if (running.size >= partsInFlight) await Promise.race(running);
      orFail();
    },
    complete: async () => {
      await Promise.all(running);
      orFail();
      const UploadId = await started;
      const MultipartUpload = { Parts: parts.sort((one, other) => one.PartNumber - other.PartNumber) };
      const input = { ...place, UploadId, MultipartUpload, ...conditionOf(target) };
      return untilDecided(target, () => s3.send(new CompleteMultipartUploadCommand(input)));
    },
    abort: async () => {
      const UploadId = await started.catch(() => null);
      await Promise.all(running);
      if (UploadId !== null) await s3.send(new AbortMultipartUploadCommand({ ...place, UploadId }));
    },
  };
}

async function startMultipart(target: Target): Promise<string> {
  const { s3, bucket, request } = target;
  const input = { Bucket: bucket, Key: request.key, ContentType: request.contentType, Metadata: metadataOf(target) };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...input, ChecksumAlgorithm: 'CRC32' }));
  if (UploadId === undefined) throw new Error(`S3 gave no upload id for ${request.key}`);
  return UploadId;
}

function conditionOf({ request }: Target): { readonly IfNoneMatch?: '*'; readonly IfMatch?: string } {
  const { condition } = request;
  if (condition === undefined) return {};
  return 'ifAbsent' in condition ? { IfNoneMatch: '*' } : { IfMatch: condition.ifMatch };
}

function metadataOf({ request, mark }: Target): Record<string, string> {
  return { ...request.metadata, [writeMark]: mark };
}

function checkMetadata({ key, metadata = {} }: UploadRequest): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(metadata)) {
    if (!/^[a-z0-9-]+$/.test(name)) throw new Error(`${key}: not a metadata name: ${JSON.stringify(name)}`);
    if (!/^[\x20-\x7E]*$/.test(value)) throw new Error(`${key}: metadata ${name} is not printable ASCII`);
    bytes += name.length + value.length;
  }
  if (bytes > maxMetadataBytes) throw new Error(`${key}: ${bytes} bytes of metadata; S3 takes ${maxMetadataBytes}`);
}

function encodeKey(key: string): string {
  const encoded = encodeURIComponent(key).replaceAll('%2F', '/');
  return encoded.replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The HTTP status behind an error of the SDK, or 0 if there was no answer. */
export function httpStatusOf(thrown: unknown): number {
  if (typeof thrown !== 'object' || thrown === null || !('$metadata' in thrown)) return 0;
  const metadata = thrown.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return 0;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : 0;
}

/** Where the bucket's objects are, by the SDK's own endpoint rules. */
async function bucketTarget({ s3: { config }, bucket }: Bucket): Promise<RequestTarget> {
  const custom = await config.endpoint?.();
  const origin =
    custom && `${custom.protocol}//${custom.hostname}${custom.port === undefined ? '' : `:${custom.port}`}`;
  const { url } = config.endpointProvider(
    {
      Bucket: bucket,
      Region: await config.region(),
      UseFIPS: await config.useFipsEndpoint(),
      UseDualStack: await config.useDualstackEndpoint(),
      ForcePathStyle: origin !== undefined,
      Accelerate: false,
      UseGlobalEndpoint: false,
      DisableMultiRegionAccessPoints: false,
      ...(origin === undefined ? {} : { Endpoint: origin }),
    },
    {},
  );
  return { url, basePath: url.pathname.replace(/\/$/, '') };
}
