// What goes past the SDK's middleware is signed as AWS checks it: Signature Version 4, computed here by hand from what arrived.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createUploads } from '#pipeline/aws/s3-upload.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import { type SeenRequest, scriptedAws } from '#test/support/aws/scripted-aws.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

type Judged = { readonly isRight: boolean; readonly signed: readonly string[] };

const { place, seen } = await scriptedAws((request) => {
  const isQueue = request.headers['x-amz-target'] !== undefined;
  const sent = isQueue ? JSON.parse(String(request.body)).Entries.map(({ Id }: { Id: string }) => ({ Id })) : [];
  const body = isQueue ? JSON.stringify({ Successful: sent }) : '';
  return { status: judge(request).isRight ? 200 : 403, headers: { etag: '"e"' }, body };
});

const keys = [
  'raw/2026/11/21/06/01JZZZZZZZZZZZZZZZZZZZZZZZ.eml',
  'inbox/b%C3%BCcher.example/a+b=c@d/2026/11/21/x.json',
  "attachments/all of it/!'()*~-_.?&#%25",
  'inbox/two//slashes/./and/../dots',
];
for (const key of keys) {
  test(`an object is signed as S3 checks it: ${key}`, async () => {
    const s3 = new S3Client({ ...place, forcePathStyle: true, credentials: { accessKeyId: 'AKIA', secretAccessKey } });
    const metadata = { envelope: '{"reversePath":"a  b@x.example"}' };
    const upload = createUploads({ s3, bucket: 'mail' })({
      key,
      contentType: 'text/plain',
      metadata,
      condition: { ifAbsent: true },
    });
    await upload.write(Buffer.from('Subject: ü\r\n\r\n'));
    const count = seen.length;
    assert.deepEqual(await upload.finish(), { outcome: 'stored', etag: '"e"' });
    assert.equal(seen.length, count + 1, 'the SDK did not have to do it again');
    assert.equal(decodeURIComponent(seen.at(-1)!.url), `/mail/${key}`);
    for (const name of ['host', 'if-none-match', 'x-amz-checksum-crc32', 'x-amz-content-sha256', 'x-amz-meta-envelope'])
      assert.ok(judge(seen.at(-1)!).signed.includes(name), name);
  });
}

test('a batch of jobs is signed as SQS checks it', async () => {
  const sqs = new SQSClient({ ...place, credentials: { accessKeyId: 'AKIA', secretAccessKey } });
  const queueUrls = { received: `${place.endpoint}/000000000000/received` };
  const count = seen.length;
  await createSqsSender({ sqs, queueUrls, clock: Date.now }).send('received', sampleReceivedJob());
  assert.equal(seen.length, count + 1, 'the SDK did not have to do it again');
  assert.equal(judge(seen.at(-1)!).isRight, true);
  assert.equal(seen.at(-1)!.headers['content-type'], 'application/x-amz-json-1.0');
  assert.equal(seen.at(-1)!.headers['x-amz-target'], 'AmazonSQS.SendMessageBatch');
});

test('a role’s credentials carry their session token, and those that end are renewed', async () => {
  let asked = 0;
  const credentials = async () => {
    asked += 1;
    const expiration = new Date(Date.now() + 60_000); // within the five minutes before the end in which they are renewed
    return { accessKeyId: `ASIA${asked}`, secretAccessKey, sessionToken: `token/${asked}==`, expiration };
  };
  const s3 = new S3Client({ ...place, forcePathStyle: true, credentials });
  const uploads = createUploads({ s3, bucket: 'mail' });
  for (const key of ['raw/1', 'raw/2']) {
    await uploads({ key, contentType: 'text/plain', condition: { ifAbsent: true } }).finish();
    const { headers } = seen.at(-1)!;
    const { isRight, signed } = judge(seen.at(-1)!);
    assert.ok(isRight && signed.includes('x-amz-security-token'));
    assert.equal(headers['x-amz-security-token'], `token/${asked}==`);
    assert.match(headers.authorization ?? '', new RegExp(`Credential=ASIA${asked}/`));
  }
  assert.ok(asked >= 2);
});

/** The rules of the IAM user guide ("Create a signed AWS API request"), with what is different for S3: paths are encoded once. */
function judge({ method, url: path, headers: given, body }: SeenRequest): Judged {
  const headers: any = given;
  const [, date = '', where = '', service = '', names = '', signature = ''] =
    /Credential=[^/]+\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization,
    ) ?? [];
  const signed = names.split(';');
  const lines = signed.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}\n`).join('');
  const payload = service === 's3' ? headers['x-amz-content-sha256'] : hash(body);
  const canonical = [method, path, '', lines, names, payload].join('\n');
  const scope = `${date}/${where}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hash(canonical)].join('\n');
  const key = [date, where, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  const isRight = hmac(key, text).toString('hex') === signature && payload === hash(body) && where === place.region;
  return { isRight, signed };
}

function hash(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
