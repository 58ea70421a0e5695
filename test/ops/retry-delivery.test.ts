// An operator's "try now": the state moves on and the job is queued, or the reason why not is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRetryDelivery } from '#ops/retry-delivery.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import { newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';

function setUp(state: 'waiting' | 'delivered') {
  const clock = setClock(Date.now());
  const [store, jobs] = [createMemoryStore(clock), createMemoryJobs()];
  const job = sampleDeliverJob();
  const fresh = newDeliveryState(job, clock());
  const recipients = fresh.recipients.map((recipient) => ({
    ...recipient,
    state: state === 'waiting' ? ('pending' as const) : ('delivered' as const),
  }));
  store.seed(job.raw.key, 'Subject: x');
  store.seed(deliveryKey(job), JSON.stringify({ ...fresh, state, recipients }));
  return { store, jobs, job, clock, retry: createRetryDelivery({ store, jobs, clock }) };
}

test('a waiting delivery is queued at once and its state says so', async () => {
  const { store, jobs, job, clock, retry } = setUp('waiting');
  assert.deepEqual(await retry({ id: job.id, domain: job.domain }), { outcome: 'queued' });
  assert.equal(jobs.of('deliver').length, 1);
  assert.equal(jobs.sent[0]?.options.notBefore, undefined);
  const { state, updatedAt, next } = store.json(deliveryKey(job));
  assert.deepEqual(
    { state, updatedAt, queued: next.queued },
    { state: 'waiting', updatedAt: clock.iso(), queued: true },
  );
});

test('a delivery whose message was deleted is not tried: there is nothing to send', async () => {
  const { store, jobs, job, retry } = setUp('waiting');
  await store.delete(job.raw.key);
  const reason = 'its message was deleted';
  assert.deepEqual(await retry({ id: job.id, domain: job.domain }), { outcome: 'not-waiting', reason });
  assert.deepEqual(jobs.sent, []);
});

test('a finished delivery is not waiting; one that is not there and a wrong id are not found', async () => {
  const { jobs, job, retry } = setUp('delivered');
  assert.equal((await retry({ id: job.id, domain: job.domain })).outcome, 'not-waiting');
  assert.equal((await retry({ id: job.id, domain: 'other.example' })).outcome, 'not-found');
  assert.equal((await retry({ id: 'nonsense', domain: job.domain })).outcome, 'not-found');
  assert.deepEqual(jobs.sent, []);
});
