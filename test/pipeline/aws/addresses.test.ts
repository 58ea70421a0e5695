// Where requests go on AWS itself: by the SDK's endpoint rules, over TLS, with the role's session token.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

function capture(body: string) {
  const seen: any[] = [];
  const requestHandler: any = {
    handle: async (request: any) => {
      seen.push(request);
      return { response: { statusCode: 200, headers: { etag: '"e"' }, body: Readable.from([Buffer.from(body)]) } };
    },
  };
  const credentials = { accessKeyId: 'AKIA', secretAccessKey: 's', sessionToken: 'token' };
  return { seen, options: { region: 'eu-central-1', credentials, requestHandler } };
}

test('an object is put to its bucket’s own host over TLS, signed for the region', async () => {
  const { seen, options } = capture('');
  const store = createS3Store({ s3: new S3Client(options), bucket: 'my-mail' });
  await store.put({ key: 'raw/a b.eml', body: Buffer.from('x'), contentType: 'message/rfc822' });
  const [{ protocol, hostname, path, headers, port }] = seen;
  assert.deepEqual(
    [protocol, hostname, port, path],
    ['https:', 'my-mail.s3.eu-central-1.amazonaws.com', undefined, '/raw/a%20b.eml'],
  );
  assert.equal(headers['x-amz-security-token'], 'token');
  assert.match(headers.authorization, /Credential=AKIA\/\d{8}\/eu-central-1\/s3\/aws4_request/);
});

test('a job goes to the host of its queue’s URL, signed for SQS', async () => {
  const { seen, options } = capture('{"Successful":[{"Id":"0"}]}');
  const queueUrls = { received: 'https://sqs.eu-central-1.amazonaws.com/123456789012/pillarbox-received' };
  const jobs = createSqsSender({ sqs: new SQSClient(options), queueUrls, clock: Date.now });
  await jobs.send('received', sampleReceivedJob());
  const [{ protocol, hostname, path, headers, body }] = seen;
  assert.deepEqual([protocol, hostname, path], ['https:', 'sqs.eu-central-1.amazonaws.com', '/']);
  assert.equal(JSON.parse(body).QueueUrl, queueUrls.received);
  assert.equal(headers['x-amz-target'], 'AmazonSQS.SendMessageBatch');
  assert.match(headers.authorization, /\/eu-central-1\/sqs\/aws4_request/);
});
