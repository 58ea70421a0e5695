// The front door on AWS where something fails: a throw, and the order of things.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createS3Client } from '#pipeline/aws/clients.ts';
import { createAwsIntake } from '#pipeline/aws/intake.ts';
import { createUploads } from '#pipeline/aws/s3-upload.ts';
import { emulatedAws } from '#test/support/aws/emulated-aws.ts';
import { type ScriptedAnswer, type SeenRequest, scriptedAws } from '#test/support/aws/scripted-aws.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

async function intakeOver(answer: (request: SeenRequest, n: number) => ScriptedAnswer, clock = setClock()) {
  const { place, seen } = await scriptedAws(answer);
  const jobs = createMemoryJobs();
  const upload = createUploads({ s3: createS3Client(place), bucket: 'bucket' });
  return { intake: createAwsIntake({ upload, jobs, clock }), jobs, seen };
}

const ok: ScriptedAnswer = { status: 200, headers: { etag: '"e"' } };

test('a message that is not stored has no job', async () => {
  const { intake, jobs } = await intakeOver(() => ({ status: 500 }));
  const job = sampleReceivedJob();
  const writer = intake.open({ key: job.raw.key, envelope: {} });
  writer.write(Buffer.from('x'));
  await assert.rejects(writer.commit(job));
  await writer.abort();
  assert.deepEqual(jobs.sent, []);
});

test('from the eleventh message of a minute on, the jobs of a client and sender carry their fair-queue group', async () => {
  const clock = setClock();
  const { intake, jobs } = await intakeOver(() => ok, clock);
  const [busy, quiet] = ['ann@busy.example', 'ann@quiet.example'].map((reversePath) => ({ reversePath }));
  const groupsOf = async (count: number, from: typeof busy) => {
    jobs.sent.length = 0;
    for (let n = 0; n < count; n += 1) {
      const job = sampleReceivedJob(from);
      const writer = intake.open({ key: job.raw.key, envelope: {} });
      await writer.commit(job);
    }
    return jobs.sent.map(({ options }) => options.group);
  };
  assert.deepEqual(await groupsOf(12, busy), [
    ...Array(10).fill(undefined),
    '192.0.2.0/24 busy.example',
    '192.0.2.0/24 busy.example',
  ]);
  assert.deepEqual(await groupsOf(1, quiet), [undefined]);
  clock.advance(59_000);
  assert.deepEqual(await groupsOf(1, busy), ['192.0.2.0/24 busy.example']);
  clock.advance(120_000);
  assert.deepEqual(await groupsOf(1, busy), [undefined]);
});

test('a message whose job is not sent throws', async () => {
  const { intake, jobs, seen } = await intakeOver(() => ok);
  jobs.fail = new Error('SQS is down');
  const job = sampleReceivedJob();
  const writer = intake.open({ key: job.raw.key, envelope: {} });
  writer.write(Buffer.from('x'));
  await assert.rejects(writer.commit(job), /SQS is down/);
  assert.equal(seen.length, 1);
});

test('an envelope that cannot be stored fails the message', async () => {
  const { intake, jobs } = await intakeOver(({ url }) => (url.includes('envelope') ? { status: 500 } : ok));
  const job = sampleReceivedJob();
  const writer = intake.open({ key: job.raw.key, envelope: { long: 'x'.repeat(3_000) } });
  writer.write(Buffer.from('x'));
  await assert.rejects(writer.commit(job));
  assert.deepEqual(jobs.sent, []);
});

test('a key that is taken fails the message: nothing is ever written over', async () => {
  const { intake, jobs } = await intakeOver(() => ({ status: 412 }));
  const job = sampleReceivedJob();
  const writer = intake.open({ key: job.raw.key, envelope: {} });
  await assert.rejects(writer.commit(job), /already taken/);
  assert.deepEqual(jobs.sent, []);
});

test('40 MB stream through with bounded memory and arrive whole', async () => {
  const { upload, jobs, store } = await emulatedAws();
  const intake = createAwsIntake({ upload, jobs });
  const chunk = randomBytes(65_536);
  const chunks = 640;
  const job = sampleReceivedJob();
  const writer = intake.open({ key: job.raw.key, envelope: {} });
  global.gc?.();
  const before = process.memoryUsage().rss;
  let peak = 0;
  for (let n = 0; n < chunks; n += 1) {
    await writer.write(Buffer.from(chunk));
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  await writer.commit(job);
  assert.ok(peak - before < 64 * 1_048_576, `${peak - before} bytes of memory added`);
  const object = await store.get(job.raw.key);
  assert.equal(object?.bytes, chunk.length * chunks);
  const content = await collect(object?.body ?? Buffer.alloc(0));
  for (let n = 0; n < chunks; n += 1) assert.ok(content.subarray(n * 65_536, (n + 1) * 65_536).equals(chunk));
});

test('a part that fails fails the message, and the upload is given up', async () => {
  const xml = { 'content-type': 'application/xml' };
  const { intake, jobs, seen } = await intakeOver(({ method, url }) => {
    if (url.includes('uploads')) {
      const body = '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>';
      return { status: 200, headers: xml, body };
    }
    return method === 'DELETE' ? { status: 204 } : { status: 500 };
  });
  const job = sampleReceivedJob();
  const writer = intake.open({ key: job.raw.key, envelope: {} });
  const send = async () => {
    for (let n = 0; n < 5; n += 1) await writer.write(randomBytes(4 * 1_048_576));
    await writer.commit(job);
  };
  await assert.rejects(send());
  await writer.abort();
  assert.deepEqual(jobs.sent, []);
  assert.equal(seen.filter(({ method }) => method === 'DELETE').length, 1);
});
