// A worker that was taken for dead and was only slow: what another has recorded since stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeDelivery } from '#functions/deliver/claim-attempt.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import { newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';
import { deliveryWorld } from './delivery-world.ts';

test('a state is moved on only from the version that was read', async (t) => {
  const world = deliveryWorld();
  t.after(world.close);
  const job = world.job();
  const first = { key: deliveryKey(job), state: newDeliveryState(job, world.clock()), etag: null };
  const stored = await writeDelivery(world.store, first);
  assert.ok(stored !== null);
  assert.equal(await writeDelivery(world.store, first), null, 'there is one already');
  const newer = { ...stored.state, warnedAt: world.clock.iso() };
  assert.ok((await writeDelivery(world.store, { ...stored, state: newer })) !== null);
  assert.equal(await writeDelivery(world.store, stored), null, 'it has been moved on since');
  assert.deepEqual(world.state(job), newer);
});

test('a worker whose lease another has taken over records nothing and tells nobody, and the log says so', async (t) => {
  let takeOver = (): void => {};
  const mx = await startMx({
    accept: () => {
      takeOver();
      return '550 5.7.1 no';
    },
  });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  takeOver = () => {
    const state = world.state(job);
    const lease = { ...state.lease!, owner: 'another' };
    world.store.seed(deliveryKey(job), JSON.stringify({ ...state, lease }));
  };
  assert.equal((await world.run(job)).outcome, 'duplicate');
  assert.equal(world.state(job).lease?.owner, 'another');
  assert.deepEqual([world.bounces.length, world.jobs.of('deliver').length], [0, 0]);
  assert.equal(world.facts.filter(({ event }) => event === 'delivery-lease-lost').length, 1);
});
