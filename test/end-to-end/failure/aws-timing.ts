// `npm run test:timing`, a part of `npm run check`: what goes wrong on AWS, with AWS's timing. The bundles that ship run behind Lambda's
// pollers, over queues with the deployment's visibility timeouts, by a clock that is set ahead where nothing happens. Mail is late by
// seconds, none is lost, dead or twice in an inbox, and the alarm that the template has for it rises.
import assert from 'node:assert/strict';
import { after, before, beforeEach, type TestContext, test } from 'node:test';
import { lastGoodConfigKey } from '#pipeline/contract/keys.ts';
import { passSeconds, passTime } from '#test/support/aws/pass-time.ts';
import { startTimedWorld, type TimedWorld } from '#test/support/aws/timed-world.ts';

let world: TimedWorld;

before(async () => {
  world = await startTimedWorld(10);
});

after(() => world.close());

beforeEach(() => {
  world.way.take = () => 'pass';
  world.account.concurrency = Number.POSITIVE_INFINITY;
});

/** Until all are stored, each once, and none is dead: at most so many seconds of the world's clock. */
async function lateAtMost(most: number, ids: readonly string[], t: TestContext): Promise<void> {
  const seconds = await passTime(world.time, 'all are stored', () => ids.every((id) => world.stored.has(id)));
  t.diagnostic(`late by ${seconds.toFixed(0)} s`);
  await passSeconds(world.time, 1_200); // whatever is still hidden comes back
  assert.equal(await world.dead(), 0);
  for (const id of ids) assert.equal(world.stored.get(id)?.length, 1, `${id} is there once`);
  assert.ok(seconds <= most, `${seconds} s`);
}

test('a configuration that is broken makes no mail late, although every function starts anew', async (t) => {
  const listener = world.listener();
  await listener.readConfig();
  await passTime(
    world.time,
    'the last good one is kept',
    async () => (await world.store.head(lastGoodConfigKey)) !== null,
  );
  await world.putConfig('{"hostname": "mx.rec');
  const ids = await world.accept(10);
  await lateAtMost(20, ids, t);
  await listener.readConfig();
  listener.measure();
  assert.ok(world.hasRisen('config-broken'));
  await world.putConfig();
});

test('a store that fails for five minutes makes mail late by a minute after it is back', async (t) => {
  world.way.take = () => 500;
  const ids = await world.accept(10);
  await passSeconds(world.time, 300);
  assert.ok(!ids.some((id) => world.stored.has(id)));
  world.way.take = () => 'pass';
  await lateAtMost(90, ids, t);
  assert.ok(world.hasRisen('own-fault-authenticate'));
});

for (const { stage } of [{ stage: 'authenticate' }, { stage: 'parse' }] as const) {
  test(`a sandbox of ${stage} that is killed keeps the mail of its batch back for little more than a minute`, async (t) => {
    const kills: Promise<number>[] = [];
    world.way.take = (asked) => {
      if (kills.length === 0 && asked.stage === stage && asked.path.includes('/raw/')) kills.push(world.kill(stage));
      return 'pass';
    };
    const ids = await world.accept(10);
    await lateAtMost(100, ids, t);
    assert.ok(kills.length > 0);
    assert.ok(world.hasRisen('function-errors'));
  });
}

test('an account that runs ten invocations at once makes mail late by seconds, and throttles kill none', async (t) => {
  world.account.concurrency = 10;
  const early = await world.accept(200);
  await passTime(world.time, 'all are stored', () => early.every((id) => world.stored.has(id)));
  await passSeconds(world.time, 301 - ((world.time.clock() / 1_000) % 300)); // the next period of the alarm
  const late = await world.accept(200);
  await lateAtMost(60, late, t);
  for (const id of early) assert.equal(world.stored.get(id)?.length, 1, `${id} is there once`);
  assert.ok(world.hasRisen('function-throttles'));
});
