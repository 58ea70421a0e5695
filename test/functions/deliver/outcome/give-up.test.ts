// A dead letter whose delivery record is garbage: the record is what killed it, and must not keep its sender from being told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import { deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';

const session = { ...sampleDeliverJob().envelope.session, role: 'submission', user: 'a@sender.example' } as const;

for (const garbage of ['{"schema":"delivery/1"', '{"schema":"delivery/99"}', '']) {
  test(`a job that died of the record ${JSON.stringify(garbage)} is on record as given up, and its sender is told once`, async (t) => {
    const world = deliveryWorld();
    t.after(world.close);
    const job = world.job({ reversePath: 'a@sender.example', session });
    world.store.seed(deliveryKey(job), garbage);
    await assert.rejects(world.run(job, 2));
    const told = { ...job, givenUp: { queue: 'deliver' as const, reason: 'SyntaxError' } };
    assert.equal((await world.run(told)).outcome, 'bounced');
    assert.equal((await world.run(told, 2)).outcome, 'duplicate');
    assert.equal(world.state(job).state, 'bounced');
    assert.equal(world.bounces.length, 1);
    assert.equal(world.facts.filter(({ event }) => event === 'delivery-record-unreadable').length, 1);
  });
}
