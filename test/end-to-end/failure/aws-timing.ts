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
  // The window of 8 s, and the starts of some twenty sandboxes, which share this machine's processors: on AWS each has its own.
  await lateAtMost(45, ids, t);
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

test('a message that kills each sandbox is a dead letter in the end, and takes no other along', async (t) => {
  const ids = await world.accept(10);
  const [poison = '', ...others] = ids;
  let kills = 0;
  world.way.take = ({ stage, path }) => {
    if (stage === 'parse' && path.includes(poison)) {
      kills += 1;
      void world.kill(stage);
    }
    return 'pass';
  };
  const seconds = await passTime(world.time, 'the others are stored', () => others.every((id) => world.stored.has(id)));
  const inAll = seconds + (await passTime(world.time, 'it is dead', async () => (await world.dead()) > 0));
  t.diagnostic(`the others are late by ${seconds.toFixed(0)} s; dead after ${inAll.toFixed(0)} s and ${kills} kills`);
  await passSeconds(world.time, 1_200);
  const dead = await world.admin.deadLetters('parse', 10);
  assert.deepEqual([dead.map(({ id }) => id), await world.dead()], [[poison], 1]);
  assert.match(dead[0]?.reason ?? '', /^it was handed out 50 times without an answer/);
  await world.sampleQueues();
  assert.ok(world.hasRisen('function-errors') && world.hasRisen('dead-letters-parse'));
  for (const id of others) assert.equal(world.stored.get(id)?.length, 1, `${id} is there once`);
  assert.ok(seconds < 180 && inAll < 3_600, `${seconds} s, ${inAll} s`);
  await world.admin.purge('parse');
});

test('an account that runs nothing for a quarter of an hour makes no dead letters', async (t) => {
  world.account.concurrency = 0;
  const ids = await world.accept(10);
  await passSeconds(world.time, 900);
  world.account.concurrency = Number.POSITIVE_INFINITY;
  await lateAtMost(90, ids, t);
});

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
