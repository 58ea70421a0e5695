// Which addresses an attempt puts on the list or takes off it, and what that costs.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createAcceptedCounts } from '#functions/deliver/outcome/suppress.ts';
import { parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { suppressionLookup } from '#pipeline/contract/records/suppression-lookup.ts';
import { type DeliveryWorld, deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { type ScriptedMx, startMx } from '#test/support/peers/scripted-mx.ts';
import { type Flat, withEnvelope } from '#test/support/samples/sample-jobs.ts';

const unknown = (line: string) => (/^RCPT TO:<gone/.test(line) ? '550 5.1.1 no such user' : undefined);

/** A world whose far.example knows nobody of a name that begins with `gone`. */
async function meet(t: TestContext): Promise<{ readonly world: DeliveryWorld; readonly mx: ScriptedMx }> {
  const mx = await startMx({ answer: unknown });
  const world = deliveryWorld({ port: mx.port, secrets: { 'secret:srs': 'the secret of the tests' } });
  t.after(() => Promise.all([mx.close(), world.close()]));
  return { world, mx };
}

/** What the listener would hear of each, for mail of sender.example. */
async function heard(world: DeliveryWorld, localParts: readonly string[], sender: string | null = 'sender.example') {
  const ask = suppressionLookup(world.store, world.clock);
  return Promise.all(
    localParts.map(async (localPart) => {
      const address = parseAddress(`${localPart}@far.example`);
      assert.ok(!isProblem(address));
      return (await ask(address, sender)).outcome;
    }),
  );
}

const names = (count: number, name: string): string[] => Array.from({ length: count }, (_, n) => `${name}${n}`);
const mailTo = (world: DeliveryWorld, localParts: readonly string[], over: Partial<Flat<DeliverJob>> = {}) =>
  world.run(world.job({ to: localParts.map((name) => `${name}@far.example`), ...over }));

test('dead addresses among many that live are suppressed, each', async (t) => {
  const { world } = await meet(t);
  const dead = names(12, 'gone');
  for (const name of dead) await mailTo(world, [name, ...names(4, 'user')]);
  assert.deepEqual(new Set(await heard(world, dead)), new Set(['suppressed']));
  assert.equal(world.counts.get('receivers-in-trouble'), undefined);
});

test('a receiver in trouble suppresses nobody either if the host took mail for the same addresses just before', async (t) => {
  const { world, mx } = await meet(t);
  const { script } = mx;
  const everybody = names(40, 'gone');
  mx.script = {};
  await mailTo(world, everybody);
  mx.script = script;
  for (const name of everybody) await mailTo(world, [name]);
  assert.deepEqual([...new Set(await heard(world, everybody))].toSorted(), ['doubted', 'written']);
  assert.equal(world.counts.get('receivers-in-trouble'), 1);
});

test('a bad hour of a receiver suppresses none of a thousand addresses, is counted and logged once, and costs few writes', async (t) => {
  const { world, mx } = await meet(t);
  const everybody = names(1_000, 'gone');
  for (let n = 0; n < 1_000; n += 50) await mailTo(world, everybody.slice(n, n + 50));
  assert.deepEqual(new Set(await heard(world, everybody)), new Set(['written']));
  assert.equal(world.counts.get('receivers-in-trouble'), 1);
  assert.equal(world.facts.filter(({ event }) => event === 'receiver-in-trouble').length, 1);
  assert.deepEqual(world.store.keys('suppressions/'), ['suppressions/far.example.json']);
  assert.equal(world.bounces.length, 20, 'every sender is told all the same');
  assert.equal(mx.mails.length, 0);
});

test('what was called unknown one by one before the trouble was seen is written to again', async (t) => {
  const { world } = await meet(t);
  const everybody = names(11, 'gone');
  for (const name of everybody.slice(0, 9)) await mailTo(world, [name]);
  assert.deepEqual(new Set(await heard(world, everybody.slice(0, 9))), new Set(['suppressed']));
  for (const name of everybody.slice(9)) await mailTo(world, [name]);
  assert.deepEqual(new Set(await heard(world, everybody.slice(0, 9))), new Set(['doubted']));
});

test('mail that is taken ends it, if the listener said that the address bounced before', async (t) => {
  const { world, mx } = await meet(t);
  await mailTo(world, ['gone']);
  mx.script = {};
  await mailTo(world, ['gone']);
  assert.deepEqual(await heard(world, ['gone']), ['suppressed'], 'nobody said so');
  const job = world.job({ to: ['gone@far.example'] });
  const recipients = job.envelope.recipients.map((recipient) => ({ ...recipient, bouncedBefore: true as const }));
  await world.run(withEnvelope(job, { recipients }));
  assert.deepEqual(await heard(world, ['gone']), ['written']);
});

test('mail of an alias counts for the domain of the alias, mail from the null reverse-path for nobody', async (t) => {
  const { world } = await meet(t);
  const job = world.job({ to: ['gone@far.example'], reversePath: 'SRS0=x=y=else.example=ann@ours.example' });
  const recipients = job.envelope.recipients.map((one) => ({ ...one, originalForwardPath: 'info@ours.example' }));
  await world.run(withEnvelope(job, { recipients }));
  await mailTo(world, ['gone1'], { reversePath: '' });
  assert.deepEqual(await heard(world, ['gone'], 'ours.example'), ['suppressed']);
  assert.deepEqual(await heard(world, ['gone', 'gone1']), ['doubted', 'written']);
});

test('mail that is taken costs the store no call about suppressions', async (t) => {
  const { world } = await meet(t);
  const asked: string[] = [];
  const { get, put } = world.deps.store;
  const store = {
    ...world.deps.store,
    get: (...args: Parameters<typeof get>) => {
      asked.push(args[0]);
      return get(...args);
    },
    put: (...args: Parameters<typeof put>) => {
      asked.push(args[0].key);
      return put(...args);
    },
  };
  Object.assign(world.deps, { store });
  await mailTo(world, ['user']);
  assert.ok(asked.length > 0);
  assert.deepEqual(
    asked.filter((key) => key.startsWith('suppressions/')),
    [],
  );
});

test('what a domain took is counted for an hour, and taken once', () => {
  const [start, minute] = [Date.parse('2026-11-26T10:00:00.000Z'), 60_000];
  const counts = createAcceptedCounts();
  counts.add('a.example', start);
  counts.add('a.example', start + minute);
  counts.add('b.example', start);
  assert.equal(counts.take('a.example', start + 2 * minute), 2);
  assert.equal(counts.take('a.example', start + 2 * minute), 0);
  assert.equal(counts.take('b.example', start + 61 * minute), 0);
});
