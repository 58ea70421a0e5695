// Between a host's answer and its being on record: what fails then must not make a host get a message twice, nor its sender
// hear that a message was not delivered which was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliver } from '#functions/deliver/deliver.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { messageLost } from '#pipeline/run/own-fault.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';
import { type DeliveryWorld, deliveryWorld, plainMessage } from './delivery-world.ts';

type Store = Pick<ObjectStore, 'get' | 'put'>;

/** The world's deliver stage over a store that fails when the test says. */
function over(world: DeliveryWorld, broken: (store: Store) => Partial<Store>): DeliverDeps {
  return { ...world.deps, store: { ...world.deps.store, ...broken(world.deps.store) } };
}

const diskFull = () => new Error('database or disk is full');
const isDeliveredRecord = (key: string, body: unknown) =>
  key.startsWith('deliveries/') &&
  body instanceof Uint8Array &&
  JSON.parse(Buffer.from(body).toString()).lease === null;

test('a disk that is full just when a host has taken the message makes no second delivery: the record waits for room', async (t) => {
  const mx = await startMx();
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  let fails = 2;
  const deps = over(world, (store) => ({
    put: async (request) => {
      if (isDeliveredRecord(request.key, request.body) && fails-- > 0) throw diskFull();
      return store.put(request);
    },
  }));
  const job = world.job();
  assert.equal((await deliver(deps, job, { receiveCount: 1 })).outcome, 'delivered');
  assert.equal(fails, -1);
  assert.equal((await deliver(world.deps, job, { receiveCount: 2 })).outcome, 'duplicate');
  assert.equal(mx.mails.length, 1);
  assert.equal(world.facts.filter(({ event }) => event === 'delivery-not-recorded').length, 2);
});

test('a record that was written although the store said otherwise is found to be there', async (t) => {
  const mx = await startMx({ answer: (line) => (line.startsWith('RCPT') ? '550 5.1.1 nobody' : undefined) });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  let fails = 1;
  const deps = over(world, (store) => ({
    put: async (request) => {
      const answer = await store.put(request);
      if (isDeliveredRecord(request.key, request.body) && fails-- > 0) throw diskFull();
      return answer;
    },
  }));
  assert.equal((await deliver(deps, world.job(), { receiveCount: 1 })).outcome, 'bounced');
  assert.equal(world.bounces.length, 1);
});

test('if nothing was said that must be kept, a store that fails is left to the queue at once', async (t) => {
  const mx = await startMx({ banner: '421 4.3.2 not now' });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const deps = over(world, (store) => ({
    put: async (request) => {
      if (isDeliveredRecord(request.key, request.body)) throw diskFull();
      return store.put(request);
    },
  }));
  await assert.rejects(deliver(deps, world.job(), { receiveCount: 1 }), /disk is full/);
});

test('of 150 recipients the 100 that a host took are delivered, once, although the message is lost before the other 50 get it', async (t) => {
  const mx = await startMx();
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const to = Array.from({ length: 150 }, (_, n) => `b${n}@far.example`);
  const job = world.job({ to, message: plainMessage + 'x'.repeat(70).concat('\r\n').repeat(5_000) });
  let reads = 0;
  const deps = over(world, (store) => ({
    get: async (key, range) => {
      // The header is read, the message sent to the first hundred, and then its file is gone.
      if (key === job.raw.key && ++reads > 2) throw messageLost(key);
      return store.get(key, range);
    },
  }));
  assert.equal((await deliver(deps, job, { receiveCount: 1 })).outcome, 'deferred');
  const { recipients } = world.state(job);
  assert.equal(recipients.filter(({ state }) => state === 'delivered').length, 100);
  assert.match(recipients.find(({ state }) => state === 'pending')?.reason ?? '', /the stored message .* is not there/);
  assert.equal(mx.mails.length, 1);
  world.clock.set(world.clock() + 3_600_000);
  await assert.rejects(deliver(deps, world.jobs.of('deliver').at(-1)!, { receiveCount: 1 }), /is not there/);
});

for (const [title, thrown] of [
  ['a fault of ours', diskFull()],
  ['a lost message', messageLost('raw/x')],
] as const) {
  test(`what one host took is on record if ${title} keeps the next host from being looked up`, async (t) => {
    const hosts = await Promise.all([startMx({ answer: refusesC })]);
    const port = hosts[0]!.port;
    const world = deliveryWorld({
      port,
      zone: {
        'far.example': {
          MX: [
            { priority: 1, exchange: 'x.example' },
            { priority: 2, exchange: 'y.example' },
          ],
        },
        'x.example': { A: ['127.0.0.1'] },
        'y.example': { A: ['127.0.0.2'] },
      },
    });
    t.after(() => Promise.all([...hosts.map((host) => host.close()), world.close()]));
    const deps = over(world, (store) => ({
      get: async (key, range) => {
        if (key.startsWith('destinations/') && key.includes('127.0.0.2')) throw thrown;
        return store.get(key, range);
      },
    }));
    const job = world.job({ to: ['b@far.example', 'c@far.example'] });
    assert.equal((await deliver(deps, job, { receiveCount: 1 })).outcome, 'deferred');
    assert.deepEqual(
      world.state(job).recipients.map(({ state }) => state),
      ['delivered', 'pending'],
    );
  });
}

function refusesC(line: string): string | undefined {
  return line.startsWith('RCPT TO:<c@') ? '450 4.2.1 later' : undefined;
}
