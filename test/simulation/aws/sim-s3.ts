// S3 as it is documented: conditional writes (412, and 409 if two are at it), strong reads, 403 for an absent key to whoever may not
// list it, 304 and 416, lists of one prefix; any request may fail, be done and told to have failed, or go without an answer.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { listenerAccess, stages } from '#pipeline/contract/stages.ts';
import type { AwsAnswer, AwsRequest } from './aws-door.ts';

export type SimObject = {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly modifiedAt: Date;
};

/** A write that took effect: who did it, and whether something was there before. */
export type Written = {
  readonly key: string;
  readonly at: number;
  readonly by: string;
  readonly isOver: boolean;
  readonly bytes: Buffer;
};

export type SimS3 = {
  readonly objects: ReadonlyMap<string, SimObject>;
  readonly writes: readonly Written[];
  /** Puts an object there without a request. */
  readonly seed: (key: string, text: string) => void;
  /** Does a request, `by` a process of this role. Runs at the moment of its effect. */
  readonly answer: (request: AwsRequest, by: string) => AwsAnswer;
  readonly text: (key: string) => string | null;
};

const bucketPath = /^\/mail\/(.*)$/;

/** An empty bucket. */
export function createSimS3(now: () => number): SimS3 {
  const objects = new Map<string, SimObject>();
  const writes: Written[] = [];
  const store = (key: string, bytes: Buffer, headers: Record<string, string>): SimObject => {
    // Of the time too: an object written anew with the same content is another version here, as with SSE it is on S3.
    const etag = `"${createHash('md5').update(bytes).update(String(writes.length)).digest('hex')}"`;
    const object = { bytes, etag, headers, modifiedAt: new Date(now()) };
    objects.set(key, object);
    return object;
  };
  const put = (key: string, { headers, body }: AwsRequest, by: string): AwsAnswer => {
    const bytes = Buffer.from(body ?? '');
    const before = objects.get(key);
    if (headers['if-none-match'] === '*' && before !== undefined) return failure(412, 'PreconditionFailed');
    const match = headers['if-match'];
    if (match !== undefined && before === undefined) return failure(404, 'NoSuchKey');
    if (match !== undefined && match !== before?.etag) return failure(412, 'PreconditionFailed');
    const sum = headers['x-amz-checksum-crc32'];
    if (sum !== undefined && sum !== crcOf(bytes)) return failure(400, 'BadDigest');
    const kept = Object.entries(headers).filter(([name]) => /^(content-type$|x-amz-meta-)/.test(name));
    writes.push({ key, at: now(), by, isOver: before !== undefined, bytes });
    const { etag } = store(key, bytes, Object.fromEntries(kept));
    return { status: 200, headers: { etag, 'content-length': '0' }, body: '' };
  };
  const get = (key: string, { method, headers }: AwsRequest, by: string): AwsAnswer => {
    const object = objects.get(key);
    if (object === undefined) return mayFindAbsent(key, by) ? failure(404, 'NoSuchKey') : failure(403, 'AccessDenied');
    if (headers['if-none-match'] === object.etag) return { status: 304, headers: { etag: object.etag }, body: '' };
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers['range'] ?? '');
    if (range !== null && Number(range[1]) >= object.bytes.length) return failure(416, 'InvalidRange');
    const bytes = range === null ? object.bytes : object.bytes.subarray(Number(range[1]), Number(range[2]) + 1);
    const last = Number(range?.[1] ?? 0) + bytes.length - 1;
    return {
      status: range === null ? 200 : 206,
      headers: {
        ...object.headers,
        etag: object.etag,
        'content-length': String(bytes.length),
        'last-modified': object.modifiedAt.toUTCString(),
        ...(range === null
          ? { 'x-amz-checksum-crc32': crcOf(object.bytes) }
          : { 'content-range': `bytes ${range[1]}-${last}/${object.bytes.length}` }),
      },
      body: method === 'HEAD' ? '' : bytes,
    };
  };
  const remove = (key: string, { headers }: AwsRequest): AwsAnswer => {
    const before = objects.get(key);
    const match = headers['if-match'];
    if (match !== undefined && before !== undefined && match !== before.etag) return failure(412, 'PreconditionFailed');
    objects.delete(key);
    return { status: 204, headers: {}, body: '' };
  };
  const list = (
    { prefix = '', 'max-keys': most = '1000' }: NonNullable<AwsRequest['query']>,
    by: string,
  ): AwsAnswer => {
    if (!mayFindAbsent(prefix, by)) return failure(403, 'AccessDenied');
    const found = [...objects]
      .filter(([key]) => key.startsWith(prefix))
      .toSorted(([one], [other]) => (one < other ? -1 : 1));
    const contents = found
      .slice(0, Number(most))
      .map(
        ([key, { bytes, etag, modifiedAt }]) =>
          `<Contents><Key>${key}</Key><LastModified>${modifiedAt.toISOString()}</LastModified><ETag>${etag}</ETag><Size>${bytes.length}</Size></Contents>`,
      );
    const body = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>${contents.length < found.length}</IsTruncated>${contents.join('')}</ListBucketResult>`;
    return { status: 200, headers: { 'content-type': 'application/xml' }, body };
  };
  return {
    objects,
    writes,
    seed: (key, text) => void store(key, Buffer.from(text), { 'content-type': 'application/json' }),
    text: (key) => objects.get(key)?.bytes.toString('utf8') ?? null,
    answer: (request, by) => {
      if (request.query?.['list-type'] === '2') return list(request.query, by);
      const key = decodeURIComponent(bucketPath.exec(request.path)?.[1] ?? '');
      if (key === '' || !isAllowed(request.method, key, by)) return failure(403, 'AccessDenied');
      switch (request.method) {
        case 'PUT':
          return put(key, request, by);
        case 'GET':
        case 'HEAD':
          return get(key, request, by);
        case 'DELETE':
          return remove(key, request);
        default:
          return failure(501, 'NotImplemented');
      }
    },
  };
}

/** An error as S3 writes it; a HEAD has no body, and the client goes by the status. */
export function failure(status: number, code: string): AwsAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body };
}

const accessOf = { listener: listenerAccess, ...stages } as const;

function isRole(role: string): role is keyof typeof accessOf {
  return role in accessOf;
}

/** What the stage's permissions say (pipeline/contract/stages.ts). */
function isAllowed(method: string, key: string, by: string): boolean {
  if (!isRole(by)) return false;
  const { reads, writes, deletes } = accessOf[by];
  const allowed = method === 'PUT' ? writes : method === 'DELETE' ? deletes : reads;
  return allowed.some((prefix) => key.startsWith(prefix));
}

function mayFindAbsent(key: string, by: string): boolean {
  if (!isRole(by)) return false;
  const { looksForAbsent } = accessOf[by];
  return looksForAbsent.some((pattern) => {
    const [head = '', tail = ''] = pattern.split('*');
    return key.startsWith(head) && key.endsWith(tail);
  });
}

function crcOf(bytes: Uint8Array): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString('base64');
}
