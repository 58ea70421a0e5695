// An invocation by SQS: one record's failure is its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobOf } from '#pipeline/jobs.ts';
import { consumeSqsEvent } from '#pipeline/sqs-event-consumer.ts';
import { createMemoryJobs } from '#test/support/memory-jobs.ts';
import { noMetrics } from '#test/support/no-metrics.ts';
import { sampleDeliverJob } from '#test/support/sample-jobs.ts';
import { setClock } from '#test/support/set-clock.ts';
import { silentLog } from '#test/support/silent-log.ts';

type Run = (job: JobOf<'deliver'>, handout: { readonly receiveCount: number }) => Promise<{ outcome: string }>;

function world(run: Run) {
  const clock = setClock();
  const log = silentLog();
  const jobs = createMemoryJobs();
  const metrics = noMetrics();
  const consume = (...records: unknown[]) =>
    consumeSqsEvent({ Records: records }, { queue: 'deliver', run, jobs, clock, log, metrics });
  return { clock, log, jobs, consume };
}

function record(messageId: string, body: string, attributes: Record<string, string> = {}) {
  const messageAttributes = Object.fromEntries(
    Object.entries(attributes).map(([name, stringValue]) => [
      name,
      { stringValue, stringListValues: [], binaryListValues: [], dataType: 'String' },
    ]),
  );
  return {
    messageId,
    receiptHandle: 'r',
    body,
    attributes: { ApproximateReceiveCount: '3', SentTimestamp: '1' },
    messageAttributes,
    md5OfBody: 'm',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:0:deliver',
    awsRegion: 'us-east-1',
  };
}

test('records that throw, are no JSON or no job fail alone, each with a log line', async () => {
  const [good, bad] = [sampleDeliverJob(), sampleDeliverJob()];
  const ran: string[] = [];
  const { consume, log } = world(async (job, { receiveCount }) => {
    assert.equal(receiveCount, 3);
    if (job.id === bad.id) throw new Error('S3 is down');
    ran.push(job.id);
    return { outcome: 'delivered' };
  });
  const answer = await consume(
    record('a', JSON.stringify(good)),
    record('b', JSON.stringify(bad)),
    record('c', 'not json'),
    record('d', '{"version":1}'),
  );
  assert.deepEqual(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort(), ['b', 'c', 'd']);
  assert.deepEqual(ran, [good.id]);
  const failures = log.of('job-failed');
  assert.deepEqual(failures.map(({ fields }) => fields['messageId']).sort(), ['b', 'c', 'd']);
  assert.match(String(failures.find(({ fields }) => fields['messageId'] === 'b')?.fields['error']), /S3 is down/);
});

test('an early job is sent on with its due time and group, and is done', async () => {
  const { consume, jobs, clock } = world(async () => assert.fail('it was run'));
  const job = sampleDeliverJob();
  const notBefore = new Date(clock() + 1_000_000).toISOString();
  const answer = await consume(record('a', JSON.stringify(job), { 'not-before': notBefore, group: 'remote.example' }));
  assert.deepEqual(answer, { batchItemFailures: [] });
  assert.deepEqual(jobs.sent, [{ queue: 'deliver', job, options: { notBefore, group: 'remote.example' } }]);
});

test('a job whose due time has come is run', async () => {
  const ran: string[] = [];
  const { consume, jobs, clock } = world(async ({ id }) => ({ outcome: String(ran.push(id)) }));
  const job = sampleDeliverJob();
  await consume(record('a', JSON.stringify(job), { 'not-before': new Date(clock()).toISOString() }));
  assert.deepEqual([ran, jobs.sent], [[job.id], []]);
});

test('an early job that cannot be sent on fails, so it is not lost', async () => {
  const { consume, jobs, clock } = world(async () => ({ outcome: 'x' }));
  jobs.fail = new Error('SQS is down');
  const notBefore = new Date(clock() + 1_000_000).toISOString();
  const answer = await consume(record('a', JSON.stringify(sampleDeliverJob()), { 'not-before': notBefore }));
  assert.deepEqual(answer, { batchItemFailures: [{ itemIdentifier: 'a' }] });
});

test('jobs of a batch run at once, ten at most', async () => {
  let running = 0;
  let most = 0;
  const { consume } = world(async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running -= 1;
    return { outcome: 'x' };
  });
  await consume(...Array.from({ length: 25 }, (_, n) => record(String(n), JSON.stringify(sampleDeliverJob()))));
  assert.equal(most, 10);
});

test('an event that is none of SQS throws', async () => {
  const { log, jobs, clock } = world(async () => ({ outcome: 'x' }));
  const metrics = noMetrics();
  const run: Run = async () => ({ outcome: 'x' });
  await assert.rejects(consumeSqsEvent({ detail: {} }, { queue: 'deliver', run, jobs, clock, log, metrics }));
});
