// What consumers of mail call: events of every kind to messages, and what is stored beside them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { S3 } from '@aws-sdk/client-s3';
import type { MailObjects } from '#consume/default-s3.ts';
import { readMail } from '#consume/read-mail.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { sampleId, sampleMessage } from '#test/support/samples/sample-message.ts';

const bucket = 'the-bucket';
const key = `inbox/a.example/ann%2Bx/2025/11/21/${sampleId()}.json`;
const urlEncoded = key.replace('%', '%25');

const ofEventBridge = {
  source: 'aws.s3',
  'detail-type': 'Object Created',
  detail: { bucket: { name: bucket }, object: { key, size: 1 }, reason: 'PutObject' },
};
const ofS3 = {
  Records: [
    {
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      s3: { bucket: { name: bucket }, object: { key: urlEncoded } },
    },
  ],
};
const malformed = {
  ...ofS3.Records[0],
  s3: { bucket: { name: bucket }, object: { key: 'inbox/a.example/100%/x.json' } },
};
const bySqs = (...bodies: unknown[]) => ({
  Records: bodies.map((body, n) => ({ messageId: `m${n}`, eventSource: 'aws:sqs', body: JSON.stringify(body) })),
});
const bySns = (body: unknown) => ({ Records: [{ EventSource: 'aws:sns', Sns: { Message: JSON.stringify(body) } }] });
const bySnsAndSqs = (body: unknown) =>
  bySqs({ Type: 'Notification', TopicArn: 'arn:aws:sns:::t', Message: JSON.stringify(body) });

const events: readonly { name: string; event: unknown; times?: number }[] = [
  { name: 'EventBridge', event: ofEventBridge },
  { name: 'S3, whose keys are encoded once more', event: ofS3 },
  { name: 'one record of S3', event: ofS3.Records[0] },
  { name: 'EventBridge by SQS, two at once', event: bySqs(ofEventBridge, ofEventBridge), times: 2 },
  { name: 'one record of SQS', event: bySqs(ofEventBridge).Records[0] },
  { name: 'S3 by SQS', event: bySqs(ofS3) },
  { name: 'S3 by SNS', event: bySns(ofS3) },
  { name: 'S3 by SNS and SQS', event: bySnsAndSqs(ofS3) },
  {
    name: 'an event of the service’s own',
    event: { source: 'pillarbox', 'detail-type': 'Mail', detail: { bucket, key } },
  },
  { name: 'a webhook that names the object', event: { bucket, key } },
  { name: 'a webhook as text', event: JSON.stringify({ bucket, key }) },
  { name: 'a webhook as bytes', event: Buffer.from(JSON.stringify({ bucket, key })) },
  { name: 'a webhook with an envelope', event: { type: 'mail.received', timestamp: 'x', data: { bucket, key } } },
];
for (const { name, event, times = 1 } of events) {
  test(`the message of an event is read: ${name}`, async () => {
    const mails = await readMail(event, { s3: stored({ [key]: sampleMessage() }) });
    assert.deepEqual(
      mails.map(({ id, subject, storedAt }) => ({ id, subject, storedAt })),
      Array.from({ length: times }, () => ({ id: sampleId(), subject: 'Hello', storedAt: { bucket, key } })),
    );
  });
}

test('a record that names nothing readable takes nothing from the others, which are read one by one', async () => {
  const s3 = stored({ [key]: sampleMessage() });
  const { Records } = bySqs(ofS3, { Records: [malformed] }, ofS3);
  const outcomes = await Promise.allSettled(Records.map((record) => readMail(record, { s3 })));
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.length : outcome.reason.message)),
    [
      1,
      'event.body.Records[0] (ObjectCreated:Put): the key inbox/a.example/100%/x.json is not encoded as S3 encodes keys',
      1,
    ],
  );
});

test('the test message that S3 sends when notifications are switched on is no mail', async () => {
  const event = bySqs({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: bucket });
  assert.deepEqual(await readMail(event, { s3: stored({}) }), []);
});

test('a message that the webhook holds itself is read without a store', async () => {
  for (const event of [sampleMessage(), { type: 'mail.received', data: sampleMessage() }]) {
    const [mail] = await readMail(event, { s3: stored({}) });
    assert.deepEqual([mail?.subject, mail?.storedAt, await mail?.readText()], ['Hello', null, 'Good morning, Ann.\n']);
  }
});

test('large texts, attachments and the raw message are fetched when they are asked for, and not before', async () => {
  const html = '<p>Grüße</p>';
  const file = Buffer.from([0, 1, 2, 255]);
  const message = sampleMessage({
    html: part('attachments/x/html', html),
    attachments: [
      {
        ...part('attachments/x/1', file),
        filename: 'a.bin',
        contentType: 'application/octet-stream',
        contentId: null,
        inline: false,
      },
    ],
    raw: part('raw/x.eml', 'Subject: Hello\r\n\r\n'),
  });
  const objects = { 'attachments/x/html': html, 'attachments/x/1': file, 'raw/x.eml': 'Subject: Hello\r\n\r\n' };
  const asked: string[] = [];
  const s3 = stored({ [key]: message, ...objects }, asked);
  const [mail] = await readMail(ofEventBridge, { s3 });
  assert.deepEqual(asked, [key]);
  assert.equal(await mail!.readText(), 'Good morning, Ann.\n');
  assert.deepEqual(asked, [key]);
  assert.equal(await mail!.readHtml(), html);
  assert.deepEqual(Buffer.from(await mail!.readAttachment(mail!.attachments[0]!)), file);
  assert.equal(Buffer.from(await mail!.readRaw()).toString(), 'Subject: Hello\r\n\r\n');
  const [sent] = await readMail(message, { s3, bucket });
  assert.equal(await sent!.readHtml(), html);
  const [unknown] = await readMail(message, { s3 });
  await assert.rejects(unknown!.readHtml(), /attachments\/x\/html: the event does not name its bucket/);
});

test('an object that is not what the message says is refused', async () => {
  const message = sampleMessage({ html: part('attachments/x/html', '<p>mine</p>') });
  const [mail] = await readMail(
    { bucket, key },
    { s3: stored({ [key]: message, 'attachments/x/html': '<p>other</p>' }) },
  );
  await assert.rejects(mail!.readHtml(), /attachments\/x\/html in the-bucket is not what inbox\/.* says: its SHA-256/);
});

test('a field that this version does not know is left out, so that older consumers read newer mail', async () => {
  const newer = { ...sampleMessage(), shade: 'blue', mailbox: { ...sampleMessage().mailbox, shelf: 1 } };
  const [mail] = await readMail({ bucket, key }, { s3: stored({ [key]: newer }) });
  assert.deepEqual([mail?.mailbox, mail && 'shade' in mail], [sampleMessage().mailbox, false]);
  await readMail(newer);
  assert.equal(newer.mailbox.shelf, 1, 'what was given is not changed');
});

const { from: _, ...withoutFrom } = sampleMessage();
const faults: readonly { title: string; event: unknown; objects?: Record<string, unknown>; says: RegExp }[] = [
  { title: 'no event', event: { hello: 1 }, says: /^event: neither an event of S3, EventBridge, SQS or SNS nor/ },
  { title: 'text that is no JSON', event: 'hello', says: /^event: the text is not JSON$/ },
  {
    title: 'a body in a queue that is no event',
    event: bySqs(ofS3, { x: 1 }),
    says: /^event\.Records\[1\]\.body: neither/,
  },
  {
    title: 'a record of S3 whose key is not encoded',
    event: { Records: [ofS3.Records[0], malformed] },
    says: /^event\.Records\[1\] \(ObjectCreated:Put\): the key inbox\/a\.example\/100%\/x\.json is not encoded as S3 encodes keys$/,
  },
  {
    title: 'such a record in a message of a queue',
    event: bySqs(ofS3, { Records: [malformed] }),
    says: /^event\.Records\[1\]\.body\.Records\[0\] \(ObjectCreated:Put\): the key inbox\/a\.example\/100%\/x\.json /,
  },
  {
    title: 'an object that is no message',
    event: { bucket, key: 'attachments/2025/x/1' },
    says: /^event: attachments\/2025\/x\/1 is no message; ask for events of keys that begin with inbox\//,
  },
  {
    title: 'an object that was deleted',
    event: { ...ofEventBridge, 'detail-type': 'Object Deleted' },
    says: /^event \(Object Deleted\): inbox\/.* is not new/,
  },
  {
    title: 'an object that is gone',
    event: { bucket, key },
    says: /^inbox\/.*\.json in the-bucket cannot be read: it was deleted/,
  },
  {
    title: 'no JSON',
    event: { bucket, key },
    objects: { [key]: 'hello' },
    says: /^inbox\/.* in the-bucket is not JSON$/,
  },
  {
    title: 'a field that is missing',
    event: { bucket, key },
    objects: { [key]: withoutFrom },
    says: /^inbox\/.* in the-bucket is no inbox message .*: from: Invalid input: expected array/,
  },
  {
    title: 'a field deep inside',
    event: { bucket, key },
    objects: { [key]: { ...sampleMessage(), from: [{ name: 'Bob', address: 1, group: null }] } },
    says: /from\.0\.address: Invalid input: expected string/,
  },
  {
    title: 'another version',
    event: { schema: 'inbox-message/2' },
    says: /^event is no inbox message .*schema: Invalid input/,
  },
];
for (const { title, event, objects = {}, says } of faults) {
  test(`what cannot be read is named: ${title}`, async () => {
    await assert.rejects(readMail(event, { s3: stored(objects) }), ({ message }: Error) => {
      assert.match(message, says);
      return true;
    });
  });
}

test('events within events without end are refused', async () => {
  const nested = Array.from({ length: 50 }).reduce((data: unknown) => ({ type: 'x', data }), { bucket, key });
  await assert.rejects(readMail(nested), /events within events, more than 8/);
});

test('the S3 client of the SDK is one that readMail takes', async (t) => {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(decodeURIComponent(request.url ?? ''));
    response.end(JSON.stringify(sampleMessage()));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const endpoint = `http://127.0.0.1:${address.port}`;
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
  const s3 = new S3({ endpoint, region: 'eu-central-1', credentials, forcePathStyle: true });
  t.after(() => s3.destroy());
  const [mail] = await readMail({ bucket, key }, { s3 });
  assert.deepEqual([mail?.subject, paths], ['Hello', [`/${bucket}/${key}?x-id=GetObject`]]);
});

/** S3 with these objects: values that are no text or bytes are stored as JSON. */
function stored(objects: Readonly<Record<string, unknown>>, asked: string[] = []): MailObjects {
  return {
    getObject: async ({ Bucket, Key }) => {
      asked.push(Key);
      const content = objects[Key];
      if (Bucket !== bucket || content === undefined) throw Object.assign(new Error('gone'), { name: 'NoSuchKey' });
      const isJson = typeof content !== 'string' && !(content instanceof Uint8Array);
      const bytes = Buffer.from(isJson ? JSON.stringify(content) : content);
      return { Body: { transformToByteArray: async () => bytes } };
    },
  };
}

function part(key: string, content: string | Uint8Array): InboxMessage['raw'] {
  const bytes = Buffer.from(content);
  return { key, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
