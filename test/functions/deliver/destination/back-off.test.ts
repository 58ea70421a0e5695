// Which hosts connections really go to: limits, back-off and slots by mail host, whatever the domains are called whose mail it takes. Jobs
// whose hosts have their share go back to the queue at once, and hold no worker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliverOutcome } from '#functions/deliver/deliver.ts';
import { noteFailure, publishFailure } from '#functions/deliver/destination/back-off.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { destinationKey } from '#pipeline/contract/keys.ts';
import { backOffRecord } from '#pipeline/contract/records/back-off.ts';
import { type DeliveryWorld, deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import type { Zone } from '#test/support/fakes/zone-resolver.ts';
import { startCountingMx } from '#test/support/peers/counting-mx.ts';
import { type Script, startMx } from '#test/support/peers/scripted-mx.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const limit = 5;
const at = (ip: string, port: number): string => `${ip} port ${port}`;
const mx = (...exchanges: string[]) => ({
  MX: exchanges.map((exchange, index) => ({ priority: 10 * (index + 1), exchange })),
});
const domainsOf = (count: number) => Array.from({ length: count }, (_, n) => `d${n}.example`);

/** Works jobs off as a queue and a pool of workers do: those that wait come again when they are due. */
async function workOff(world: DeliveryWorld, jobs: readonly DeliverJob[], workers: number): Promise<DeliverOutcome[]> {
  const [ready, outcomes] = [[...jobs], [] as DeliverOutcome[]];
  let running = 0;
  const done = Promise.withResolvers<void>();
  const work = async (job: DeliverJob): Promise<void> => {
    const outcome = await world.run(job, 2);
    if (outcome.outcome !== 'waiting') outcomes.push(outcome);
    else setTimeout(() => handOut(job), Date.parse(outcome.until) - world.clock());
    if (outcomes.length === jobs.length) done.resolve();
    running -= 1;
    handOut();
  };
  const handOut = (...due: readonly DeliverJob[]): void => {
    ready.push(...due);
    while (running < workers && ready.length > 0) {
      running += 1;
      work(ready.shift()!).catch(done.reject);
    }
  };
  handOut();
  await done.promise;
  return outcomes;
}

for (const { title, zone } of [
  {
    title: 'that all name it alike',
    zone: (domains: readonly string[]): Zone => ({
      ...Object.fromEntries(domains.map((domain) => [domain, mx('mx.big.example')])),
      'mx.big.example': { A: ['127.0.0.1'] },
    }),
  },
  {
    title: 'that each have a name of their own for it',
    zone: (domains: readonly string[]): Zone =>
      Object.fromEntries(
        domains.flatMap((domain) => [
          [domain, mx(`mx.${domain}`)],
          [`mx.${domain}`, { A: ['127.0.0.1'] }],
        ]),
      ),
  },
]) {
  test(`a host of 300 domains ${title} never has more than ${limit} connections at once`, async (t) => {
    const peer = await startCountingMx({ ip: '127.0.0.1' });
    const domains = domainsOf(300);
    const world = deliveryWorld({ port: peer.port, zone: zone(domains), config: { delivery: { attemptSeconds: 60 } } });
    t.after(() => Promise.all([peer.close(), world.close()]));
    const outcomes = await workOff(
      world,
      domains.map((domain) => world.job({ to: [`b@${domain}`] })),
      100,
    );
    assert.equal(outcomes.filter(({ outcome }) => outcome === 'delivered').length, 300);
    assert.equal(peer.count(), 300);
    assert.ok(peer.mostAtOnce() <= limit, `${peer.mostAtOnce()} at once`);
  });
}

test('mail for 30 domains of one host that never greets holds 5 workers; the rest goes back at once, as one group, with the reason', async () => {
  const peer = await startCountingMx({ ip: '127.0.0.1', closed: true });
  const domains = domainsOf(30);
  const zone: Zone = {
    ...Object.fromEntries(domains.map((domain) => [domain, mx('mx.dead.example')])),
    'mx.dead.example': { A: ['127.0.0.1'] },
  };
  const world = deliveryWorld({ port: peer.port, zone, config: { delivery: { attemptSeconds: 60 } } });
  let settled = 0;
  const runs = Array.from({ length: 300 }, (_, n) =>
    world.run(world.job({ to: [`b@${domains[n % 30]}`] })).finally(() => {
      settled += 1;
    }),
  );
  await eventually('all but those at work are back', () => settled === 295);
  await eventually('those at work have their connections', () => peer.connections() === limit);
  const waits = world.jobs.sent.map(({ options }) => options);
  assert.deepEqual([...new Set(waits.map(({ group }) => group))], [at('127.0.0.1', peer.port)]);
  const first = await Promise.race(runs);
  assert.ok(first.outcome === 'waiting' && /as many deliveries under way as it may have \(5\)/.test(first.reason));
  const dues = waits.map(({ notBefore }) => Date.parse(notBefore ?? ''));
  assert.ok(new Set(dues).size > 100, 'they do not all come back at once');
  peer.open();
  const outcomes = await Promise.all(runs);
  assert.equal(outcomes.filter(({ outcome }) => outcome === 'delivered').length, limit);
  await Promise.all([peer.close(), world.close()]);
});

test('of two hosts of a domain the dead one keeps nothing back, is asked once, and leaves others that share it to theirs', async (t) => {
  const alive = await startMx({ host: '127.0.0.2' });
  const zone: Zone = {
    'far.example': mx('x.example', 'y.example'),
    'near.example': mx('x.example'),
    'x.example': { A: ['127.0.0.1'] },
    'y.example': { A: ['127.0.0.2'] },
  };
  const world = deliveryWorld({ port: alive.port, zone });
  t.after(() => Promise.all([alive.close(), world.close()]));
  const outcomes = [];
  for (let n = 0; n < 10; n++) outcomes.push((await world.run(world.job())).outcome);
  assert.deepEqual(new Set(outcomes), new Set(['delivered']));
  assert.equal(alive.mails.length, 10);
  assert.deepEqual(world.store.keys('destinations/'), [destinationKey(at('127.0.0.1', alive.port))]);
  const last = world.job();
  await world.run(last);
  assert.match(world.state(last).attempts[0]!.reason!, /127\.0\.0\.1 port \d+ is backed off until/);
  assert.equal(world.state(last).attempts[0]!.hosts.length, 1);
  const waiting = await world.run(world.job({ to: ['b@near.example'] }));
  assert.ok(waiting.outcome === 'waiting' && /x\.example: cannot connect/.test(waiting.reason));
});

test('a host that has its share but answers is waited for; one that answers nobody is passed over for the next', async () => {
  const [busy, second] = [
    await startMx({ accept: () => null }),
    await startMx({ host: '127.0.0.2' }).catch(() => null),
  ];
  const next = second ?? (await startMx({ host: '127.0.0.2' }));
  await next.close();
  const backup = await startMx({ host: '127.0.0.2' }, busy.port);
  const zone: Zone = {
    'far.example': mx('x.example', 'y.example'),
    'x.example': { A: ['127.0.0.1'] },
    'y.example': { A: ['127.0.0.2'] },
  };
  const delivery = { connectionsPerDestination: 1, attemptSeconds: 60 };
  const world = deliveryWorld({ port: busy.port, zone, config: { delivery } });
  const first = world.run(world.job());
  await eventually('the host has the message', () => busy.mails.length === 1);
  assert.equal((await world.run(world.job())).outcome, 'waiting');
  assert.equal(backup.connections(), 0);
  await Promise.all([busy.close(), first]);
  await Promise.all([backup.close(), world.close()]);
});

for (const { title, script } of [
  { title: 'greets with 450', script: { banner: '450 4.3.2 not now' } },
  { title: 'greets with 451', script: { banner: '451 4.7.1 not now' } },
  { title: 'says 454 to EHLO', script: { answer: (line: string) => (line.startsWith('EHLO') ? '454 no' : undefined) } },
  {
    title: 'says 451 to every MAIL',
    script: { answer: (line: string) => (line.startsWith('MAIL') ? '451 4.3.0 not now' : undefined) },
  },
  { title: 'says 451 to every message', script: { accept: () => '451 4.3.0 not now' } },
  {
    title: 'says 452 4.3.1 to every RCPT',
    script: { answer: (line: string) => (line.startsWith('RCPT') ? '452 4.3.1 full' : undefined) },
  },
] satisfies { title: string; script: Script }[]) {
  test(`a host that ${title} is backed off: 500 messages make few connections`, async (t) => {
    const peer = await startMx(script);
    const world = deliveryWorld({ port: peer.port });
    t.after(() => Promise.all([peer.close(), world.close()]));
    for (let n = 0; n < 500; n++) await world.run(world.job());
    assert.ok(peer.connections() <= 6, `${peer.connections()} connections`);
    assert.match(world.store.json(destinationKey(at('127.0.0.1', peer.port))).reason, /45\d/);
    peer.script = {};
    world.clock.advance(600_000);
    assert.equal((await world.run(world.job())).outcome, 'delivered');
    assert.deepEqual(world.store.keys('destinations/'), []);
  });
}

test('greylisting delays each message by its own schedule, and after ten in a row the host gets one connection until it takes one', async (t) => {
  const isNew = new Set<string>();
  const peer = await startMx({
    answer: (line) => {
      if (!line.startsWith('RCPT') || isNew.has(line)) return undefined;
      isNew.add(line);
      return '450 4.2.0 greylisted';
    },
  });
  const world = deliveryWorld({ port: peer.port });
  t.after(() => Promise.all([peer.close(), world.close()]));
  const send = (n: number) => world.run(world.job({ to: [`b${n}@far.example`] }));
  for (let n = 0; n < 12; n++) assert.equal((await send(n)).outcome, 'deferred');
  assert.deepEqual(world.store.keys('destinations/'), [], 'nothing is backed off');
  const few = await Promise.all([1, 2, 3, 4].map((n) => send(100 + n)));
  assert.deepEqual(few.map(({ outcome }) => outcome).sort(), ['deferred', 'waiting', 'waiting', 'waiting']);
  assert.equal((await send(0)).outcome, 'delivered');
  const all = await Promise.all([1, 2, 3, 4].map((n) => send(200 + n)));
  assert.deepEqual(new Set(all.map(({ outcome }) => outcome)), new Set(['deferred']));
});

for (const { title, reply, asked } of [
  { title: 'says 451 without a reason', reply: '451 try again later', asked: 20 },
  { title: 'speaks of policy', reply: '451 4.7.1 greylisted', asked: 20 },
  { title: 'says that a mailbox is full', reply: '452 4.2.2 mailbox full', asked: 100 },
]) {
  test(`a host that ${title} to RCPT, and to nothing else, is asked for ${asked} of 100 messages at first`, async (t) => {
    const peer = await startMx({ answer: (line) => (line.startsWith('RCPT') ? reply : undefined) });
    const world = deliveryWorld({ port: peer.port });
    t.after(() => Promise.all([peer.close(), world.close()]));
    const sendAll = async () => {
      for (let n = 0; n < 100; n++) await world.run(world.job({ to: [`b${n}@far.example`] }));
      return peer.commands.splice(0).filter((line) => line.startsWith('RCPT')).length;
    };
    assert.equal(await sendAll(), asked);
    if (asked === 100) return;
    const { reason } = world.store.json(destinationKey(at('127.0.0.1', peer.port)));
    assert.equal(reason, `it put off 20 messages in a row, the last one with: far.example: ${reply}`);
    world.clock.advance(12_000);
    assert.equal(await sendAll(), 1);
    world.clock.advance(12_000);
    assert.equal(await sendAll(), 0, 'the second wait is longer');
    world.clock.advance(12_000);
    peer.script = {};
    assert.equal(await sendAll(), 100);
  });
}

test('what a person wants tried at once is tried although its host is backed off, and stays so while no slot is free', async (t) => {
  const peer = await startMx({ banner: '421 busy' });
  const delivery = { connectionsPerDestination: 1, attemptSeconds: 60 };
  const world = deliveryWorld({ port: peer.port, config: { delivery } });
  t.after(() => Promise.all([peer.close(), world.close()]));
  await world.run(world.job());
  assert.equal((await world.run(world.job())).outcome, 'waiting');
  peer.script = { accept: () => null };
  const first = world.run(world.job({ tryNow: true }));
  await eventually('the first is there', () => peer.mails.length === 1);
  assert.equal((await world.run(world.job({ tryNow: true }))).outcome, 'waiting');
  assert.equal(world.jobs.of('deliver').at(-1)!.tryNow, true);
  await peer.close();
  await first;
});

test('what a person wants tried now is tried at all hosts of its domain, though all are backed off', async (t) => {
  const first = await startMx({ banner: '421 busy' });
  const second = await startMx({ host: '127.0.0.2', banner: '421 busy' }, first.port);
  const zone = {
    'far.example': mx('mx1.far.example', 'mx2.far.example'),
    'mx1.far.example': { A: ['127.0.0.1'] },
    'mx2.far.example': { A: ['127.0.0.2'] },
  };
  const world = deliveryWorld({ port: first.port, zone });
  t.after(() => Promise.all([first.close(), second.close(), world.close()]));
  await world.run(world.job());
  assert.equal((await world.run(world.job())).outcome, 'waiting');
  const job = world.job({ tryNow: true });
  assert.equal((await world.run(job)).outcome, 'deferred');
  assert.deepEqual(
    world.state(job).attempts[0]!.hosts.map(({ host }) => host),
    ['mx1.far.example', 'mx2.far.example'],
  );
  assert.equal(world.jobs.of('deliver').at(-1)!.tryNow, undefined, 'the attempt after it keeps to the schedule');
});

test('mail that waits for a slot still expires in time', async () => {
  const peer = await startCountingMx({ ip: '127.0.0.1', closed: true });
  const delivery = { connectionsPerDestination: 1, attemptSeconds: 60 };
  const world = deliveryWorld({ port: peer.port, config: { delivery } });
  const holding = world.run(world.job());
  await eventually('the slot is taken', () => peer.connections() === 1);
  const job = world.job({ expiresAt: world.clock.iso() });
  assert.equal((await world.run(job)).outcome, 'bounced');
  assert.match(world.state(job).recipients[0]!.reason!, /as many deliveries under way as it may have/);
  peer.open();
  await holding;
  await Promise.all([peer.close(), world.close()]);
});

test('a host that takes long to greet is backed off for the others meanwhile, and is asked again once it did', async (t) => {
  const peer = await startCountingMx({ ip: '127.0.0.1', closed: true });
  const config = { delivery: { attemptSeconds: 60 } };
  const world = deliveryWorld({ port: peer.port, config, connections: { slowSeconds: 0.1 } });
  t.after(() => Promise.all([peer.close(), world.close()]));
  const first = world.run(world.job());
  const key = destinationKey(at('127.0.0.1', peer.port));
  await eventually('the others are told', () => world.store.keys('destinations/').includes(key));
  const waiting = await world.run(world.job());
  assert.ok(waiting.outcome === 'waiting' && /not ready after 0\.1 s/.test(waiting.reason));
  peer.open();
  assert.equal((await first).outcome, 'delivered');
  assert.deepEqual(world.store.keys('destinations/'), []);
  assert.equal((await world.run(world.job())).outcome, 'delivered');
});

test('of very many hosts that take long to greet the first ones make room', async () => {
  const peer = await startCountingMx({ ip: '127.0.0.1', closed: true });
  const config = { delivery: { connectionsPerDestination: 1_000, attemptSeconds: 60 } };
  const world = deliveryWorld({ port: peer.port, config, connections: { slowSeconds: 1.5 } });
  const runs = Array.from({ length: 110 }, () => world.run(world.job()));
  const first = await Promise.race(runs);
  assert.ok(first.outcome === 'deferred' && /very many others/.test(first.reason));
  await eventually('ten have gone', () => world.counts.get('deliveries') === 10);
  peer.open();
  const outcomes = await Promise.all(runs);
  assert.equal(outcomes.filter(({ outcome }) => outcome === 'delivered').length, 100);
  await Promise.all([peer.close(), world.close()]);
});

test('of very many hosts that take long to answer MAIL the first ones make room, and none is given up once its message goes out', async () => {
  const peer = await startMx({ offers: [], answer: (line) => (line.startsWith('MAIL') ? null : undefined) });
  const config = { delivery: { connectionsPerDestination: 1_000, attemptSeconds: 60 } };
  const taken = Promise.withResolvers<string>();
  const other = await startMx({ host: '127.0.0.2', accept: () => taken.promise }, peer.port);
  const zone: Zone = { 'far.example': { A: ['127.0.0.1'] }, 'good.example': { A: ['127.0.0.2'] } };
  const connections = { slowSeconds: 1.5, finalReplySeconds: 20 };
  const world = deliveryWorld({ port: peer.port, zone, config, connections });
  const sent = world.run(world.job({ to: ['b@good.example'] }));
  const runs = Array.from({ length: 110 }, () => world.run(world.job()));
  const first = await Promise.race(runs);
  assert.ok(first.outcome === 'deferred' && /very many others/.test(first.reason));
  await eventually('ten have gone', () => world.counts.get('deliveries') === 10);
  taken.resolve('250 2.0.0 taken');
  assert.equal((await sent).outcome, 'delivered');
  await peer.close();
  await Promise.all([...runs, other.close(), world.close()]);
});

test('a DNS that does not answer holds 20 workers at most, and mail whose DNS answers goes out meanwhile', async (t) => {
  const peer = await startMx();
  const world = deliveryWorld({ port: peer.port });
  t.after(() => Promise.all([peer.close(), world.close()]));
  const silence = Promise.withResolvers<never>();
  silence.promise.catch(() => undefined);
  const { resolve } = world.deps;
  Object.assign(world.deps, {
    resolve: (name: string, type: string) => (name.endsWith('dark.example') ? silence.promise : resolve(name, type)),
  });
  let settled = 0;
  const runs = Array.from({ length: 50 }, (_, n) =>
    world.run(world.job({ to: [`b@z${n}.dark.example`] })).finally(() => {
      settled += 1;
    }),
  );
  await eventually('30 are back on the queue', () => settled === 30);
  assert.equal((await world.run(world.job())).outcome, 'delivered');
  silence.reject(Object.assign(new Error('timeout'), { code: 'ETIMEOUT' }));
  const outcomes = await Promise.all(runs);
  assert.equal(outcomes.filter(({ outcome }) => outcome === 'deferred').length, 20);
});

test('of what two processes find out about a host at a time the longer back-off stays, and both know it', async (t) => {
  const world = deliveryWorld({});
  t.after(world.close);
  const key = backOffRecord.key('192.0.2.1 port 25');
  const [first, second] = [createWorkerMemory(), createWorkerMemory()].map((memory) => ({ ...world.deps, memory }));
  const failure = { startedAt: world.clock(), retrySeconds: [300], reason: 'no answer' };
  noteFailure({ ...second!, random: () => 0 }, '192.0.2.1 port 25', failure);
  noteFailure({ ...first!, random: () => 1 }, '192.0.2.1 port 25', failure);
  await publishFailure(first!, '192.0.2.1 port 25');
  const longer = await backOffRecord.find(world.store, key);
  await publishFailure(second!, '192.0.2.1 port 25');
  assert.deepEqual(await backOffRecord.find(world.store, key), longer);
  assert.deepEqual(second!.memory.backOffs.get('192.0.2.1 port 25')?.record, longer);
});
