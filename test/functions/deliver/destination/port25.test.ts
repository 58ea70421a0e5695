// Port 25 as the processes of a fleet see it together: each has a memory of its own, the evidence is in the store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliver } from '#functions/deliver/deliver.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import { watchPort } from '#functions/deliver/destination/port25.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import { destinationKey } from '#pipeline/contract/keys.ts';
import { readBlockedPort } from '#pipeline/contract/records/blocked-port.ts';
import { deliveryWorld } from '#test/functions/deliver/delivery-world.ts';

const sites = [
  { domain: 'a.example', ip: '192.0.2.1', port: 25 },
  { domain: 'b.test', ip: '192.0.2.2', port: 25 },
  { domain: 'c.invalid', ip: '192.0.2.3', port: 25 },
] as const;
const twoMinutes = 120_000;

/** Processes that share the store, the clock, the log and the metrics. */
function fleet(size: number) {
  const world = deliveryWorld({ zone: { 'far.example': 'SERVFAIL' } });
  const processes = Array.from(
    { length: size },
    (): DeliverDeps => ({
      ...world.deps,
      soleWorker: size === 1,
      memory: createWorkerMemory(),
    }),
  );
  const timedOut = (): Promise<unknown> =>
    Promise.all(sites.map((site, n) => watchPort(processes[n % size]!, 'timed-out', site)));
  const reports = () =>
    world.facts.filter(({ event }) => event === 'port-25-blocked').map(({ fields }) => fields.hosts);
  return { world, processes, timedOut, reports, blocked: () => readBlockedPort(world.deps) };
}

test('three processes that each see one host time out find together that port 25 is blocked, once it stood for two minutes', async (t) => {
  const { world, timedOut, reports, blocked } = fleet(3);
  t.after(world.close);
  await timedOut();
  world.clock.set(world.clock() + twoMinutes - 1);
  assert.equal(await blocked(), null);
  assert.deepEqual(reports(), []);
  world.clock.set(world.clock() + 1);
  await timedOut();
  assert.deepEqual((await blocked())?.hosts.toSorted(), ['a.example', 'b.test', 'c.invalid']);
  assert.equal(reports().length, 1, 'it is reported once, whoever sees it');
  assert.equal(world.counts.get('port-25-blocked'), 3);
});

test('a process that is alone waits for no other to connect', async (t) => {
  const { world, timedOut, reports, blocked } = fleet(1);
  t.after(world.close);
  await timedOut();
  assert.equal((await blocked())?.since, new Date(world.clock()).toISOString());
  assert.equal(reports().length, 1);
});

test('three domains of one host, and two hosts of one site, are one sign', async (t) => {
  const { world, processes, blocked } = fleet(1);
  t.after(world.close);
  for (let round = 0; round < 3; round++) {
    for (const { domain } of sites) await watchPort(processes[0]!, 'timed-out', { domain, ip: '192.0.2.1', port: 25 });
    await watchPort(processes[0]!, 'timed-out', { domain: 'mx.a.example', ip: '192.0.2.9', port: 25 });
    world.clock.set(world.clock() + twoMinutes);
  }
  assert.equal(await blocked(), null);
});

test('a process that connects ends what the others saw, at most once a minute if nothing timed out', async (t) => {
  const { world, processes, timedOut, blocked } = fleet(4);
  t.after(world.close);
  const connected = () => watchPort(processes[3]!, 'connected', sites[0]);
  await timedOut();
  await connected();
  assert.deepEqual(world.store.keys('destinations/'), []);
  await timedOut();
  for (let n = 0; n < 5; n++) await connected();
  assert.deepEqual(world.store.keys('destinations/'), [], 'the others told it within the minute already');
  world.clock.set(world.clock() + 60_000);
  await timedOut();
  for (let n = 0; n < 2; n++) await connected();
  world.clock.set(world.clock() + twoMinutes);
  assert.equal(await blocked(), null);
  assert.deepEqual(world.store.keys('destinations/'), []);
});

test('fifty processes that write the evidence at once find it too', async (t) => {
  const { world, processes, blocked } = fleet(50);
  t.after(world.close);
  const all = () => Promise.allSettled(processes.map((deps, n) => watchPort(deps, 'timed-out', sites[n % 3]!)));
  await all();
  world.clock.set(world.clock() + twoMinutes);
  await all();
  assert.notEqual(await blocked(), null);
});

test('while no mail leaves nothing is given up, though it is tried every few hours only; one connection ends that', async (t) => {
  const { world, processes, timedOut } = fleet(1);
  t.after(world.close);
  await timedOut();
  world.clock.set(world.clock() + twoMinutes);
  await timedOut();
  const job = world.job();
  let outcome = await deliver(world.deps, job, { receiveCount: 1 });
  for (let n = 0; n < 60; n++) {
    await watchPort(processes[0]!, 'timed-out', sites[0]);
    outcome = await world.runNext();
  }
  assert.equal(outcome.outcome, 'deferred');
  await watchPort(processes[0]!, 'connected', sites[1]);
  assert.equal(world.store.keys('destinations/').includes(destinationKey('*')), false);
  assert.equal((await world.runNext()).outcome, 'bounced');
});
