// The object store on S3. Writing is in s3-upload.ts; reads are checked by the SDK against S3's checksums.
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { errorMessage } from '#mail/problem.ts';
import type { KeyPrefix } from '#pipeline/contract/keys.ts';
import type {
  ByteRange,
  ObjectFacts,
  ObjectStore,
  PutOutcome,
  PutRequest,
  StoredObject,
} from '#pipeline/contract/ports.ts';
import { createUploads, httpStatusOf, type OpenUpload, writeMark } from './s3-upload.ts';

type Bucket = { readonly s3: S3Client; readonly bucket: string };

/**
 * `sharedTail` is written with each object. `forbiddenIsAbsent`: below these prefixes an object that S3 will not say is absent, to
 * somebody who may not list, reads as null.
 */
export function createS3Store({
  s3,
  bucket,
  forbiddenIsAbsent = [],
}: Bucket & { readonly forbiddenIsAbsent?: readonly KeyPrefix[] }): ObjectStore {
  const open = createUploads({ s3, bucket });
  return {
    put: (request) => putObject(open, request),
    get: (key, range) =>
      getObject({ s3, bucket }, key, range).catch((thrown: unknown) => {
        if (forbiddenIsAbsent.some((prefix) => key.startsWith(prefix)) && maybeAbsent(thrown)) return null;
        throw thrown;
      }),
    head: (key) => headObject({ s3, bucket }, key),
    list: async ({ prefix, after, limit = 1_000 }) => {
      const page = { Prefix: prefix, StartAfter: after, MaxKeys: Math.min(limit, 1_000) };
      const { Contents = [], IsTruncated = false } = await s3.send(
        new ListObjectsV2Command({ Bucket: bucket, ...page }),
      );
      const objects = Contents.map(({ Key = '', Size, ETag = '', LastModified }) => ({
        key: Key,
        bytes: Size ?? 0,
        etag: ETag,
        modifiedAt: timeText(LastModified),
      }));
      return { objects, next: IsTruncated ? (objects.at(-1)?.key ?? null) : null };
    },
    delete: async (key, condition) => {
      const input = { Bucket: bucket, Key: key, ...(condition ? { IfMatch: condition.ifMatch } : {}) };
      const answer = await orNull(412, orNull(404, s3.send(new DeleteObjectCommand(input)), 'gone'));
      return answer === null ? 'conflict' : 'deleted';
    },
  };
}

/** Lists the folders directly below a prefix that ends in a slash: whole prefixes, each ending in one, in order. */
export type ListFolders = (prefix: string) => Promise<readonly string[]>;

export function createS3Folders({ s3, bucket }: Bucket): ListFolders {
  return async (prefix) => {
    const folders: string[] = [];
    let token: string | undefined;
    do {
      const input = { Bucket: bucket, Prefix: prefix, Delimiter: '/', ContinuationToken: token };
      const page = await s3.send(new ListObjectsV2Command(input));
      folders.push(...(page.CommonPrefixes ?? []).flatMap(({ Prefix }) => (Prefix === undefined ? [] : [Prefix])));
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return folders;
  };
}

/**
 * Whether a refusal may mean that there is nothing: S3 then names the right to list as what is missing, or nothing. A refusal that
 * names another right, as to read or to decrypt, is a fault.
 */
function maybeAbsent(thrown: unknown): boolean {
  if (httpStatusOf(thrown) !== 403) return false;
  const [, action] = /not authorized to perform: ([\w:]+)/.exec(errorMessage(thrown)) ?? [];
  return action === undefined || action === 's3:ListBucket';
}

async function putObject(open: OpenUpload, { body, sharedTail, ...request }: PutRequest): Promise<PutOutcome> {
  const upload = open(request);
  try {
    for await (const chunk of body instanceof Uint8Array ? slices(body) : body) await upload.write(chunk);
    for (const chunk of slices(sharedTail ?? new Uint8Array())) await upload.write(chunk);
    return await upload.finish();
  } catch (thrown) {
    await upload.abort().catch(() => undefined);
    throw thrown;
  }
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1_048_576) yield bytes.subarray(at, at + 1_048_576);
}

async function getObject(
  { s3, bucket }: Bucket,
  key: string,
  range: ByteRange | undefined,
): Promise<StoredObject | null> {
  const input = { Bucket: bucket, Key: key, ...(range ? { Range: `bytes=${range.first}-${range.last}` } : {}) };
  const answer = await orNull(404, orNull(416, s3.send(new GetObjectCommand(input)), 'beyond'));
  if (answer === null) return null;
  if (answer === 'beyond') {
    // A range behind the end, and any range of an empty object, is empty here; S3 calls it an error.
    const facts = await headObject({ s3, bucket }, key);
    return facts && { ...facts, body: Readable.from([]) };
  }
  if (!(answer.Body instanceof Readable)) throw new Error(`S3 gave no body for ${key}`);
  const total = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
  const bytes = total === undefined ? answer.ContentLength : Number(total);
  return { ...factsOf(key, answer, bytes), body: answer.Body };
}

async function headObject({ s3, bucket }: Bucket, key: string): Promise<ObjectFacts | null> {
  const head = await orNull(404, s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key })));
  return head && factsOf(key, head, head.ContentLength);
}

type Facts = {
  readonly ETag?: string | undefined;
  readonly ContentType?: string | undefined;
  readonly Metadata?: Record<string, string> | undefined;
  readonly LastModified?: Date | undefined;
};

function factsOf(key: string, { ETag, ContentType, Metadata = {}, LastModified }: Facts, bytes = 0): ObjectFacts {
  const { [writeMark]: _, ...metadata } = Metadata;
  const contentType = ContentType ?? 'application/octet-stream';
  return { key, bytes, etag: ETag ?? '', contentType, metadata, modifiedAt: timeText(LastModified) };
}

function timeText(date: Date | undefined): string {
  return (date ?? new Date(0)).toISOString();
}

/** The answer; or, if S3 answers with this status, null (or `instead`). */
function orNull<Answer>(status: number, answer: Promise<Answer>): Promise<Answer | null>;
function orNull<Answer, const Instead>(
  status: number,
  answer: Promise<Answer>,
  instead: Instead,
): Promise<Answer | Instead>;
function orNull(status: number, answer: Promise<unknown>, instead: unknown = null): Promise<unknown> {
  return answer.catch((thrown: unknown) => {
    if (httpStatusOf(thrown) === status) return instead;
    throw thrown;
  });
}
