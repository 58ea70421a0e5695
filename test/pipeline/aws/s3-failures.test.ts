// What S3 may answer besides 200, and what becomes of the write.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { createS3Client } from '#pipeline/aws/clients.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { type ScriptedAnswer, type SeenRequest, scriptedAws } from '#test/support/aws/scripted-aws.ts';

const stored: ScriptedAnswer = { status: 200, headers: { etag: '"new"' } };
const body = Buffer.from('the bytes');
const request = { key: 'raw/2026/x y%41.eml', body, contentType: 'message/rfc822', metadata: { a: 'b' } };
const ifAbsent = { ...request, condition: { ifAbsent: true } } as const;
const ifMatch = { ...request, condition: { ifMatch: '"old"' } } as const;

async function storeOver(answer: (request: SeenRequest, n: number) => ScriptedAnswer) {
  const { place, seen } = await scriptedAws(answer);
  const s3 = createS3Client({ ...place, requestTimeoutMs: 250 });
  return { store: createS3Store({ s3, bucket: 'bucket' }), seen };
}

function error(status: number, code: string): ScriptedAnswer {
  return { status, headers: { 'content-type': 'application/xml' }, body: `<Error><Code>${code}</Code></Error>` };
}

test('an ordinary write is one signed request with its checksum, condition and metadata', async () => {
  const { store, seen } = await storeOver(() => stored);
  assert.deepEqual(await store.put(ifAbsent), { outcome: 'stored', etag: '"new"' });
  assert.equal(seen.length, 1);
  const [{ method, url, headers, body: sent }] = seen as [SeenRequest];
  assert.deepEqual([method, url, sent], ['PUT', '/bucket/raw/2026/x%20y%2541.eml', body]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  assert.equal(headers['x-amz-checksum-crc32'], checksum.toString('base64'));
  assert.equal(headers['if-none-match'], '*');
  assert.equal(headers['x-amz-meta-a'], 'b');
  assert.match(
    headers.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=.*SignedHeaders=.*if-none-match.*x-amz-meta-a/,
  );
});

for (const [what, first] of [
  ['500', error(500, 'InternalError')],
  ['503 SlowDown', error(503, 'SlowDown')],
  ['409 ConditionalRequestConflict', error(409, 'ConditionalRequestConflict')],
  ['a connection reset', 'reset'],
  ['no answer in time', 'silence'],
] as const) {
  test(`${what} is tried again until the write is done`, async () => {
    const { store, seen } = await storeOver((_, n) => (n < 2 ? first : stored));
    assert.deepEqual(await store.put(ifAbsent), { outcome: 'stored', etag: '"new"' });
    assert.equal(seen.length, 3);
  });
}

test('a write that goes on failing throws', async () => {
  const { store, seen } = await storeOver(() => error(500, 'InternalError'));
  await assert.rejects(store.put(ifAbsent));
  assert.ok(seen.length <= 5, `${seen.length} requests`);
});

test('an S3 that never answers makes the write throw', async () => {
  const { store } = await storeOver(() => 'silence');
  await assert.rejects(store.put(ifAbsent));
});

test('access denied throws and is not tried for long', async () => {
  const { store, seen } = await storeOver(() => error(403, 'AccessDenied'));
  await assert.rejects(store.put(ifAbsent), /AccessDenied/);
  assert.ok(seen.length <= 2);
});

for (const [what, condition] of [
  ['ifAbsent', ifAbsent],
  ['ifMatch', ifMatch],
] as const) {
  test(`412 with ${what} is a conflict at once`, async () => {
    const { store, seen } = await storeOver(() => error(412, 'PreconditionFailed'));
    assert.deepEqual(await store.put(condition), { outcome: 'conflict' });
    assert.equal(seen.length, 1);
  });
}

test('a conflict with our own write, whose answer was lost, is no conflict', async () => {
  let mark = '';
  const { store } = await storeOver(({ method, headers }, n) => {
    if (method === 'HEAD') return { status: 200, headers: { etag: '"mine"', 'x-amz-meta-pillarbox-write': mark } };
    if (n > 0) return error(412, 'PreconditionFailed');
    mark = String(headers['x-amz-meta-pillarbox-write']);
    return 'reset';
  });
  assert.deepEqual(await store.put(ifAbsent), { outcome: 'stored', etag: '"mine"' });
});

test('a conflict with another’s write after an answer was lost is a conflict', async () => {
  const { store } = await storeOver(({ method }, n) => {
    if (method === 'HEAD') return { status: 200, headers: { etag: '"theirs"', 'x-amz-meta-pillarbox-write': 'other' } };
    return n === 0 ? 'reset' : error(412, 'PreconditionFailed');
  });
  assert.deepEqual(await store.put(ifAbsent), { outcome: 'conflict' });
});

test('metadata that S3 would refuse or mangle throws before anything is sent', async () => {
  const { store, seen } = await storeOver(() => stored);
  for (const metadata of [{ a: 'é' }, { a: 'x\r\ny: z' }, { a: 'x'.repeat(2_048) }, { 'A b': 'x' }]) {
    await assert.rejects(store.put({ ...request, metadata: metadata as Record<string, string> }), /metadata/);
  }
  assert.equal(seen.length, 0);
});

test('reading throws where S3 fails, and is null only where there is nothing', async () => {
  const { store } = await storeOver(() => error(500, 'InternalError'));
  await assert.rejects(store.get('raw/x'));
  const absent = await storeOver(() => error(404, 'NoSuchKey'));
  assert.equal(await absent.store.get('raw/x'), null);
});

test('below a prefix that says so, a refusal to say whether an object is there reads as absence; a real denial throws', async () => {
  const denied = (action: string | null): ScriptedAnswer => ({
    status: 403,
    headers: { 'content-type': 'application/xml' },
    body: `<Error><Code>AccessDenied</Code><Message>${action === null ? 'Access Denied' : `User: arn:aws:sts::1:assumed-role/listener/x is not authorized to perform: ${action} on resource: "arn:aws:s3:::bucket" because no identity-based policy allows the ${action} action`}</Message></Error>`,
  });
  for (const { action, prefix, isAbsent } of [
    { action: 's3:ListBucket', prefix: 'suppressions/', isAbsent: true },
    { action: null, prefix: 'suppressions/', isAbsent: true },
    { action: 's3:GetObject', prefix: 'suppressions/', isAbsent: false },
    { action: 'kms:Decrypt', prefix: 'suppressions/', isAbsent: false },
    { action: 's3:ListBucket', prefix: 'raw/', isAbsent: false },
  ] as const) {
    const { place } = await scriptedAws(() => denied(action));
    const s3 = createS3Client({ ...place, requestTimeoutMs: 250 });
    const store = createS3Store({ s3, bucket: 'bucket', forbiddenIsAbsent: ['suppressions/'] });
    const read = store.get(`${prefix}there.example/nobody.json`);
    if (isAbsent) assert.equal(await read, null, `${action}`);
    else await assert.rejects(read, { name: 'AccessDenied' }, `${action} ${prefix}`);
  }
});
