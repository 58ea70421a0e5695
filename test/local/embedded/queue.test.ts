// The embedded queue beyond the contract: leases, dead letters, fairness, due times without polling.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { QueueName } from '#pipeline/contract/stages.ts';
import { sampleDeliverJob, sampleReceivedJob, withEnvelope } from '#test/support/samples/sample-jobs.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import { openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';

const terms = { queue: 'received', max: 10, maxPerGroup: 100, maxReceives: 3, leaseSeconds: 60 } as const;

test('a lease that waits is answered when a job comes', async (t) => {
  const world = await openTestWorld({ t });
  const waiting = world.source.lease(terms);
  await world.jobs.send('received', sampleReceivedJob());
  assert.equal((await waiting).length, 1);
});

test('a lease that waits is answered when a job becomes due, by the real clock', async (t) => {
  const clock = Object.assign(Date.now, {}) as never;
  const world = await openTestWorld({ t, clock });
  const waiting = world.source.lease(terms);
  const elapsedMs = stopwatch();
  const at = Date.now();
  await world.jobs.send('received', sampleReceivedJob(), { notBefore: new Date(at + 150).toISOString() });
  assert.equal((await waiting).length, 1);
  assert.ok(Date.now() - at >= 150, 'not before its time');
  const tookMs = elapsedMs();
  assert.ok(tookMs < 2_000, `${tookMs} ms`);
});

test('jobs are handed out in the transaction of what is asked for at the same time', async (t) => {
  const world = await openTestWorld({ t });
  await world.jobs.send('received', sampleReceivedJob());
  const before = await world.statistics();
  const [leased] = await Promise.all([
    world.source.lease(terms),
    world.store.put({ key: 'inbox/x', body: Buffer.from('{}'), contentType: 'application/json' }),
  ]);
  const after = await world.statistics();
  assert.equal(leased.length, 1);
  assert.equal(after.commits - before.commits, 2, 'one for both, one for asking');
});

test('where something else in that transaction fails, jobs are handed out all the same, and once', async (t) => {
  const world = await openTestWorld({ t });
  const job = sampleReceivedJob();
  const accept = () => world.intake.open({ key: job.raw.key, envelope: {} }).commit(job);
  await accept();
  const [refused, leased] = await Promise.allSettled([accept(), world.source.lease(terms)]);
  assert.equal(refused.status, 'rejected');
  assert.deepEqual(
    leased.status === 'fulfilled' && leased.value.map(({ messageId, receiveCount }) => ({ messageId, receiveCount })),
    [{ messageId: job.id, receiveCount: 1 }],
  );
  const counts = (await world.admin.queues()).find(({ name }) => name === 'received');
  assert.deepEqual([counts?.ready, counts?.inFlight], [0, 1]);
});

test('stopping answers those that wait with nothing', async (t) => {
  const world = await openTestWorld({ t });
  const waiting = world.source.lease(terms);
  await world.source.stop();
  assert.deepEqual(await waiting, []);
});

test('a job nobody answered for is handed out again when its lease is over; at last it is a dead letter', async (t) => {
  const world = await openTestWorld({ t });
  const sent = sampleReceivedJob();
  await world.jobs.send('received', sent);
  for (const receiveCount of [1, 2, 3]) {
    const [job] = await world.source.lease(terms);
    assert.equal(job?.receiveCount, receiveCount);
    await advance(world, 59);
    assert.equal((await counts(world, 'received')).inFlight, 1);
    await advance(world, 2);
    assert.equal((await counts(world, 'received')).ready, 1);
  }
  const [spent] = await world.source.lease(terms);
  assert.match(spent?.spent ?? '', /handed out 3 times without an answer/);
  await world.source.nack(spent!, { delaySeconds: null, reason: spent!.spent! });
  assert.deepEqual(await summary(world, 'received'), { ready: 0, delayed: 0, inFlight: 0, dead: 1 });
  const [letter] = await world.admin.deadLetters('received', 10);
  assert.match(letter?.reason ?? '', /handed out 3 times without an answer/);
  assert.deepEqual([letter?.id, letter?.receiveCount], [sent.id, 3]);
});

test('a failed job waits for its delay, and its last error is kept with the dead letter', async (t) => {
  const world = await openTestWorld({ t });
  await world.jobs.send('received', sampleReceivedJob());
  const [first] = await world.source.lease(terms);
  await world.source.nack(first!, { delaySeconds: 30, reason: 'the store was down' });
  assert.deepEqual(await summary(world, 'received'), { ready: 0, delayed: 1, inFlight: 0, dead: 0 });
  await advance(world, 31);
  const [second] = await world.source.lease(terms);
  await world.source.nack(second!, { delaySeconds: null, reason: 'no use' });
  assert.deepEqual(await summary(world, 'received'), { ready: 0, delayed: 0, inFlight: 0, dead: 1 });
  assert.equal((await world.admin.deadLetters('received', 1))[0]?.reason, 'no use');

  assert.equal(await world.admin.redrive('received'), 1);
  const [again] = await world.source.lease(terms);
  assert.equal(again?.receiveCount, 1);
  await world.source.nack(again!, { delaySeconds: null, reason: 'no use' });
  assert.equal(await world.admin.purge('received'), 1);
  assert.deepEqual(await summary(world, 'received'), { ready: 0, delayed: 0, inFlight: 0, dead: 0 });
});

test('an answer to an older hand-out does not touch the newer one', async (t) => {
  const world = await openTestWorld({ t });
  await world.jobs.send('received', sampleReceivedJob());
  const [old] = await world.source.lease(terms);
  await advance(world, 61);
  const [current] = await world.source.lease(terms);
  await world.source.nack(old!, { delaySeconds: null, reason: 'late' });
  assert.deepEqual(await summary(world, 'received'), { ready: 0, delayed: 0, inFlight: 1, dead: 0 });
  await world.source.ack(current!);
  assert.deepEqual(await summary(world, 'received'), { ready: 0, delayed: 0, inFlight: 0, dead: 0 });
});

test('jobs that were out when the process ended are handed out at once after the next start, due times kept', async (t) => {
  const world = await openTestWorld({ t });
  const later = new Date(world.clock() + 7_200_000).toISOString();
  await world.jobs.send('received', sampleReceivedJob());
  await world.jobs.send('received', sampleReceivedJob(), { notBefore: later });
  assert.equal((await world.source.lease(terms)).length, 1);
  await world.shut();
  const again = await openTestWorld({ t, folder: world.folder, clock: world.clock });
  const [job, ...others] = await again.source.lease(terms);
  assert.equal(job?.receiveCount, 1, 'an orderly end counts for nothing');
  assert.deepEqual(others, []);
  await again.source.ack(job!);
  assert.equal((await counts(again, 'received')).delayed, 1);
  await advance(again, 7_201);
  assert.equal((await again.source.lease(terms)).length, 1);
});

test('an orderly end on a full disk ends all the same, and what was out is handed out after the next start', async (t) => {
  const world = await openTestWorld({ t });
  await world.jobs.send('received', sampleReceivedJob());
  assert.equal((await world.source.lease(terms)).length, 1);
  const database = new DatabaseSync(join(world.folder, 'pillarbox.sqlite'));
  database.exec("CREATE TRIGGER f BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END");
  await world.shut();
  database.exec('DROP TRIGGER f');
  database.close();
  const again = await openTestWorld({ t, folder: world.folder, clock: world.clock });
  assert.equal((await again.source.lease(terms))[0]?.receiveCount, 1);
});

test('a destination with a thousand jobs does not keep another waiting, nor take every place', async (t) => {
  const world = await openTestWorld({ t });
  const send = (domain: string) => world.jobs.send('deliver', sampleDeliverJob({ domain }), { group: domain });
  await Promise.all(Array.from({ length: 1_000 }, () => send('busy.example')));
  await Promise.all([send('one.example'), send('two.example')]);
  const lease = (max: number) => world.source.lease({ ...terms, queue: 'deliver', max, maxPerGroup: 5 });
  const domains = (await lease(20)).map(({ body }) => JSON.parse(body).domain);
  assert.deepEqual(domains.filter((domain) => domain !== 'busy.example').sort(), ['one.example', 'two.example']);
  assert.equal(domains.length, 7);
  await send('three.example');
  assert.deepEqual(
    (await lease(20)).map(({ body }) => JSON.parse(body).domain),
    ['three.example'],
  );
});

test('jobs that are out for long make room for others of their group: where one host hangs, the group may have a second', async (t) => {
  const world = await openTestWorld({ t });
  const send = () => world.jobs.send('deliver', sampleDeliverJob(), { group: 'far.example' });
  await Promise.all(Array.from({ length: 20 }, send));
  const lease = () => world.source.lease({ ...terms, queue: 'deliver', max: 20, maxPerGroup: 5, countsForMs: 6_000 });
  assert.equal((await lease()).length, 5);
  const next = lease();
  world.clock.advance(6_000);
  await send();
  assert.equal((await next).length, 5);
});

test('ten thousand jobs that wait cost nothing while they wait', async (t) => {
  const world = await openTestWorld({ t });
  const base = world.clock();
  const later = Array.from({ length: 10_000 }, (_, n) => {
    const notBefore = new Date(base + 3_600_000 + n * 100).toISOString();
    return world.jobs.send('deliver', sampleDeliverJob({ domain: `d${n}.example` }), {
      notBefore,
      group: `d${n}.example`,
    });
  });
  await Promise.all(later);
  const waiting = world.source.lease({ ...terms, queue: 'deliver' });
  const before = await world.statistics();
  const elapsedMs = stopwatch();
  for (let n = 0; n < 200; n++) {
    await world.jobs.send('received', sampleReceivedJob());
    for (const job of await world.source.lease(terms)) await world.source.ack(job);
  }
  const tookMs = elapsedMs();
  assert.ok(tookMs < 2_000, `${tookMs} ms for 200 jobs beside them`);
  const { operations } = await world.statistics();
  // Three for each job, and this question; the first look for texts to index may fall among them.
  const asked = operations - before.operations;
  assert.ok(asked === 601 || asked === 602, `${asked} operations`);
  assert.equal((await counts(world, 'deliver')).delayed, 10_000);
  await advance(world, 3_600 + 1);
  assert.equal((await waiting).length, 10);
  assert.deepEqual(await summary(world, 'deliver'), { ready: 1, delayed: 9_989, inFlight: 10, dead: 0 });
});

test('the oldest job’s wait is told in seconds', async (t) => {
  const world = await openTestWorld({ t });
  assert.equal((await counts(world, 'received')).oldestSeconds, null);
  await world.jobs.send('received', sampleReceivedJob());
  await advance(world, 90);
  await world.jobs.send('received', sampleReceivedJob());
  assert.equal((await counts(world, 'received')).oldestSeconds, 90);
});

async function advance(world: TestWorld, seconds: number): Promise<void> {
  world.clock.advance(seconds * 1_000);
  await world.tick();
}

async function counts(world: TestWorld, queue: QueueName) {
  return (await world.admin.queues()).find(({ name }) => name === queue)!;
}

async function summary(world: TestWorld, queue: QueueName) {
  const { ready, delayed, inFlight, dead } = await counts(world, queue);
  return { ready, delayed, inFlight, dead };
}

test('messages from the front door are handed out in rotation: by networks, then by the zones of each', async (t) => {
  const world = await openTestWorld({ t });
  const accept = async (clientIp: string, reversePath: string): Promise<void> => {
    const sample = sampleReceivedJob();
    const job = withEnvelope(sample, { reversePath, session: { ...sample.envelope.session, clientIp, user: null } });
    const key = `raw/2026/11/21/12/${clientIp}-${reversePath}-${Math.random()}.eml`;
    const writer = world.intake.open({ key, envelope: {} });
    writer.write(Buffer.from('x'));
    await writer.commit({ ...job, raw: { ...job.raw, key } });
  };
  for (let n = 0; n < 20; n += 1) await accept('192.0.2.7', 'x@dead.test');
  await accept('192.0.2.8', 'ann@sender.example');
  await accept('198.51.100.1', 'bob@other.example');
  const first = await world.source.lease({ ...terms, max: 4 });
  const senders = first.map(({ body }) => JSON.parse(body).envelope.reversePath);
  assert.deepEqual(senders, ['x@dead.test', 'bob@other.example', 'ann@sender.example', 'x@dead.test']);
});
