// The slots of destinations by a clock of the test's own: 10,000 jobs for one host, as a queue without any order of its own hands them out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlots } from '#functions/deliver/destination/slots.ts';

const limit = 5;
const longestMs = 300_000;

type Event = { readonly at: number; readonly run: () => void };

/** Lets 10,000 jobs come at once, each of which takes `jobMs` once it has its slot, for `untilMs` at most. */
function simulate(jobMs: number, untilMs: number) {
  const jobs = 10_000;
  let now = 0;
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const slots = createSlots(() => now);
  const events: Event[] = [];
  const add = (at: number, run: () => void): void => {
    let [low, high] = [0, events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (events[middle]!.at > at) low = middle + 1;
      else high = middle;
    }
    events.splice(low, 0, { at, run });
  };
  const seen = { handOuts: 0, done: 0, most: 0, busy: 0, doneAt: 0 };
  const handOut = (): void => {
    seen.handOuts += 1;
    const slot = slots.acquire('192.0.2.1 port 25', limit);
    if (slot === null) {
      add(now + slots.waitMs('192.0.2.1 port 25', { limit, longestMs, random }), handOut);
      return;
    }
    seen.busy += 1;
    seen.most = Math.max(seen.most, seen.busy);
    add(now + jobMs, () => {
      slot.release();
      seen.busy -= 1;
      seen.done += 1;
      seen.doneAt = now;
    });
  };
  for (let n = 0; n < jobs; n++) add(n * 0.1, handOut);
  for (let next = events.pop(); next !== undefined && next.at <= untilMs; next = events.pop()) {
    now = next.at;
    next.run();
  }
  return { ...seen, idealMs: (jobs * jobMs) / limit, perJob: seen.handOuts / jobs };
}

for (const jobMs of [5, 50, 500]) {
  test(`10,000 jobs of ${jobMs} ms for one host keep its five slots busy, and few are handed out for nothing`, (t) => {
    const seen = simulate(jobMs, 10_000_000);
    t.diagnostic(`${seen.doneAt} ms instead of ${seen.idealMs}, ${seen.perJob} hand-outs a job`);
    assert.equal(seen.done, 10_000);
    assert.equal(seen.most, limit);
    assert.ok(seen.doneAt < seen.idealMs * 1.25, `${seen.doneAt} ms instead of ${seen.idealMs}`);
    assert.ok(seen.perJob < 20, `${seen.perJob} hand-outs a job`);
  });
}

test('10,000 jobs for a host that answers nobody for five minutes are handed out a few times each in that time', (t) => {
  const { perJob } = simulate(1_000_000, 300_000);
  t.diagnostic(`${perJob} hand-outs a job`);
  assert.ok(perJob < 8, `${perJob} hand-outs a job`);
});

test('a destination is unresponsive while nobody there is ready and the first has waited for five seconds', () => {
  let now = 0;
  const slots = createSlots(() => now);
  const destination = '192.0.2.1 port 25';
  assert.equal(slots.isUnresponsive(destination), false);
  const first = slots.acquire(destination, limit);
  now = 5_001;
  const second = slots.acquire(destination, limit);
  assert.equal(slots.isUnresponsive(destination), true);
  second?.markReady();
  assert.equal(slots.isUnresponsive(destination), false);
  second?.release();
  assert.equal(slots.isUnresponsive(destination), true);
  first?.release();
  first?.release();
  assert.equal(slots.isUnresponsive(destination), false);
});

test('of 60 hosts that hang none takes all workers from those that are well: behind 50 jobs each gets one slot', () => {
  let now = 0;
  const slots = createSlots(() => now);
  const enter = (destination: string) => slots.acquire(destination, slots.shareOf(destination, limit));
  const well = enter('well');
  well?.release();
  const held = Array.from({ length: 20 }, () => Array.from({ length: 60 }, (_, n) => enter(`hangs${n}`))).flat();
  const count = held.filter((slot) => slot !== null).length;
  assert.ok(count >= 60 && count <= 115, `${count} of 250`);
  assert.ok(
    Array.from({ length: limit }, () => enter('well')).every((slot) => slot !== null),
    'it has all its slots',
  );
  assert.ok(enter('unknown') !== null && enter('unknown') === null, 'one that nothing is known of has one');
  now += 60_000;
  for (const slot of held) slot?.release();
  assert.ok(enter('hangs1') !== null && enter('hangs1') !== null, 'in quiet times it has its share again');
});
