// Jobs onto SQS: batches, each entry's own answer, due times, limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSqsClient } from '#pipeline/aws/clients.ts';
import { packBody, packedJobs, packsOf } from '#pipeline/aws/pack.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import { parseJob } from '#test/functions/parse/parse-job.ts';
import { type ScriptedAnswer, scriptedAws } from '#test/support/aws/scripted-aws.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

type Entry = {
  Id: string;
  MessageBody: string;
  DelaySeconds?: number;
  MessageGroupId?: string;
  MessageAttributes?: any;
};
type Failure = { readonly Code: string; readonly SenderFault: boolean };

/** `failureOf` says of an entry of the n-th request how it fails, or null. */
async function senderOver(failureOf: (entry: Entry, n: number) => Failure | null = () => null) {
  const batches: Entry[][] = [];
  const { place, seen } = await scriptedAws(({ body }, n): ScriptedAnswer => {
    const { Entries } = JSON.parse(String(body)) as { Entries: Entry[] };
    batches.push(Entries);
    const Failed = Entries.flatMap((entry) => {
      const failure = failureOf(entry, n);
      return failure === null ? [] : [{ Id: entry.Id, Message: 'because', ...failure }];
    });
    const ids = new Set(Failed.map(({ Id }) => Id));
    const Successful = Entries.filter(({ Id }) => !ids.has(Id)).map(({ Id }) => ({ Id, MessageId: 'm' }));
    const headers = { 'content-type': 'application/x-amz-json-1.0' };
    return { status: 200, headers, body: JSON.stringify({ Successful, Failed }) };
  });
  const clock = setClock();
  const queueUrls = {
    received: `${place.endpoint}/0/received`,
    deliver: `${place.endpoint}/0/deliver`,
    parse: `${place.endpoint}/0/parse`,
  };
  return { jobs: createSqsSender({ sqs: createSqsClient(place), queueUrls, clock }), batches, seen, clock };
}

test('25 jobs sent at once leave in three batches of at most ten', async () => {
  const { jobs, batches } = await senderOver();
  const sent = Array.from({ length: 25 }, () => sampleReceivedJob());
  await Promise.all(sent.map((job) => jobs.send('received', job)));
  assert.deepEqual(
    batches.map(({ length }) => length).sort((a, b) => b - a),
    [10, 10, 5],
  );
  const ids = batches.flat().map(({ MessageBody }) => JSON.parse(MessageBody).id);
  assert.deepEqual(ids.sort(), sent.map(({ id }) => id).sort());
});

test('an entry that fails through no fault of ours is sent once more, the others are not', async () => {
  const { jobs, batches } = await senderOver(({ Id }, n) =>
    n === 0 && Id === '1' ? { Code: 'InternalError', SenderFault: false } : null,
  );
  const [a, b, c] = [sampleReceivedJob(), sampleReceivedJob(), sampleReceivedJob()];
  await Promise.all([a, b, c].map((job) => jobs.send('received', job)));
  assert.deepEqual(
    batches.map((batch) => batch.map(({ MessageBody }) => JSON.parse(MessageBody).id)),
    [[a.id, b.id, c.id], [b.id]],
  );
});

for (const [what, SenderFault, requests] of [
  ['that fails twice', false, 2],
  ['that is our fault', true, 1],
] as const) {
  test(`an entry ${what} rejects its own job alone`, async () => {
    const bad = sampleReceivedJob();
    const { jobs, seen } = await senderOver(({ MessageBody }) =>
      JSON.parse(MessageBody).id === bad.id ? { Code: 'Broken', SenderFault } : null,
    );
    const outcomes = await Promise.allSettled([sampleReceivedJob(), bad].map((job) => jobs.send('received', job)));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    assert.match(String((outcomes[1] as PromiseRejectedResult).reason), /Broken: because/);
    assert.equal(seen.length, requests);
  });
}

test('an SQS that fails is tried again, then every job of the batch rejects', async () => {
  const { place, seen } = await scriptedAws(() => ({ status: 500, body: '{}' }));
  const queueUrls = { received: `${place.endpoint}/0/received` };
  const jobs = createSqsSender({ sqs: createSqsClient(place), queueUrls, clock: Date.now });
  const outcomes = await Promise.allSettled([1, 2].map(() => jobs.send('received', sampleReceivedJob())));
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.ok(seen.length >= 3 && seen.length <= 5, `${seen.length} requests`);
});

for (const [seconds, DelaySeconds] of [
  [1, 1],
  [899.2, 900],
  [900, 900],
  [100_000, 900],
] as const) {
  test(`a job due in ${seconds} s is delayed by ${DelaySeconds} s and carries its due time and group`, async () => {
    const { jobs, batches, clock } = await senderOver();
    const notBefore = new Date(clock() + seconds * 1_000).toISOString();
    await jobs.send('deliver', sampleDeliverJob(), { notBefore, group: 'ü remote.example' });
    const entry = batches[0]?.[0];
    assert.equal(entry?.DelaySeconds, DelaySeconds);
    assert.equal(entry?.MessageGroupId, '__remote.example');
    assert.equal(entry?.MessageAttributes['not-before'].StringValue, notBefore);
    assert.equal(entry?.MessageAttributes.group.StringValue, 'ü remote.example');
  });
}

test('a job over 1 MiB throws with its size, without a request', async () => {
  const { jobs, seen } = await senderOver();
  const job = sampleReceivedJob({ reversePath: 'x'.repeat(1_048_577) });
  await assert.rejects(jobs.send('received', job), /has 10\d{5} bytes; SQS takes 1048576/);
  assert.equal(seen.length, 0);
});

test('jobs that are over 1 MiB together leave in several batches', async () => {
  const { jobs, batches } = await senderOver();
  const sent = Array.from({ length: 3 }, () => sampleReceivedJob({ reversePath: 'x'.repeat(500_000) }));
  await Promise.all(sent.map((job) => jobs.send('received', job)));
  assert.deepEqual(
    batches.map(({ length }) => length).sort((a, b) => b - a),
    [2, 1],
  );
});

test('sending to a queue this process has no URL of throws', async () => {
  const { place } = await scriptedAws(() => 'reset');
  const jobs = createSqsSender({ sqs: createSqsClient(place), queueUrls: {}, clock: Date.now });
  await assert.rejects(jobs.send('received', sampleReceivedJob()), /no URL of queue "received"/);
});

test('jobs for parse leave as messages of six, those of a group apart, and an early one or one put back alone', async () => {
  const { jobs, batches, clock } = await senderOver();
  const sent = Array.from({ length: 7 }, () => parseJob(Buffer.from('Subject: hello\r\n\r\nhello')));
  const [early, slow, again] = [
    parseJob(Buffer.from('Subject: hello\r\n\r\nhello')),
    parseJob(Buffer.from('Subject: hello\r\n\r\nhello')),
    JSON.stringify(parseJob(Buffer.from('Subject: hello\r\n\r\nhello'))),
  ];
  await Promise.all([
    ...sent.map((job) => jobs.send('parse', job)),
    jobs.send('parse', slow, { group: 'slow-lane' }),
    jobs.send('parse', early, { notBefore: new Date(clock() + 60_000).toISOString() }),
    jobs.putBack('parse', { body: again, delaySeconds: 4.2, handOuts: 2, group: undefined }),
  ]);
  const [batch = [], ...more] = batches;
  assert.deepEqual(more, []);
  assert.deepEqual(
    batch.map(({ MessageBody }) => packedJobs(MessageBody)?.map((job) => JSON.parse(job)) ?? JSON.parse(MessageBody)),
    [sent.slice(0, 6), sent[6], slow, early, JSON.parse(again)],
  );
  assert.deepEqual(
    batch.map(({ MessageGroupId, DelaySeconds }) => [MessageGroupId, DelaySeconds]),
    [
      [undefined, undefined],
      [undefined, undefined],
      ['slow-lane', undefined],
      [undefined, 60],
      [undefined, 5],
    ],
  );
  assert.equal(batch[4]?.MessageAttributes['handed-out'].StringValue, '2');
});

test('a pack stays below what SQS bills as one request', () => {
  const bytes = [30_000, 29_000, 2_000, 70_000, 500];
  const packs = packsOf(
    bytes.map((size) => ({ group: '', bytes: size })),
    6,
  );
  assert.deepEqual(packs, [[0, 1], [2], [3], [4]]);
});

test('a pack that SQS does not take rejects each of its jobs', async () => {
  const { jobs } = await senderOver(() => ({ Code: 'Broken', SenderFault: true }));
  const outcomes = await Promise.allSettled(
    [parseJob(Buffer.from('Subject: hello\r\n\r\nhello')), parseJob(Buffer.from('Subject: hello\r\n\r\nhello'))].map(
      (job) => jobs.send('parse', job),
    ),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
});

test('what XML cannot say survives a pack and its putting back', async () => {
  const { jobs, batches } = await senderOver();
  const text = JSON.stringify({ text: '\uFFFE a' });
  await jobs.putBack('parse', {
    body: packedJobs(packBody([text, text]))?.[0] ?? '',
    delaySeconds: 0,
    handOuts: 1,
    group: undefined,
  });
  const [body = ''] = batches.flat().map(({ MessageBody }) => MessageBody);
  assert.doesNotMatch(body, /[\uFFFE\uFFFF]/);
  assert.deepEqual(JSON.parse(body), JSON.parse(text));
});
