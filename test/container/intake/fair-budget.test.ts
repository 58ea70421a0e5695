// One peer's trickling messages do not keep the others' out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFairBudget } from '#container/intake/fair-budget.ts';

test('a group holds a quarter of the budget, and one message more; another group still gets in', async () => {
  const budget = createFairBudget(() => 1_000);
  const greedy = Array.from({ length: 8 }, () => budget.of('192.0.2.1').open());
  const waits = greedy.map((share) => share.take(100));
  assert.deepEqual(
    waits.map((wait) => wait === undefined),
    [true, true, false, false, false, false, false, false],
  );
  await waits[2]; // one may go over, so that nobody waits for ever
  assert.equal(budget.used(), 300);
  const other = budget.of('192.0.2.2').open();
  assert.equal(other.take(200), undefined);
  const local = budget.of(null).open();
  assert.equal(local.take(400), undefined, 'no group: held to the whole alone');
  other.release();
  local.release();
  for (const share of greedy) share.release();
  await Promise.all(waits);
  assert.equal(budget.used(), 0);
});

test('what one message gives back, the next of the group takes', async () => {
  const budget = createFairBudget(() => 400);
  const [a, b, c] = [budget.of('g').open(), budget.of('g').open(), budget.of('g').open()];
  assert.equal(a.take(100), undefined);
  await b.take(100); // over its quarter, as one may be
  let isIn = false;
  const wait = c.take(50)?.then(() => {
    isIn = true;
  });
  assert.ok(wait !== undefined && !isIn);
  b.release();
  b.release();
  a.release();
  await wait;
  assert.equal(budget.used(), 50);
  c.release();
  assert.equal(budget.used(), 0);
});

test('large messages of many groups that fill the budget and stall hold up none that is small', async () => {
  const budget = createFairBudget(() => 4_096_000);
  const large = Array.from({ length: 5 }, (_, group) => budget.of(`192.0.2.${group}`).open());
  const waits = large.map((share) => share.take(1_024_000));
  assert.ok(waits[4] instanceof Promise, 'the budget is full, and the one that may go over it never ends');
  await waits[4];
  for (const group of ['192.0.2.1', '192.0.2.77', null]) {
    const small = budget.of(group).open();
    assert.equal(small.take(600), undefined);
    assert.equal(small.take(400), undefined);
    const more = small.take(1);
    assert.ok(more instanceof Promise, 'beyond its beginning a message waits');
    small.release();
    await more;
  }
  for (const share of large) share.release();
  assert.equal(budget.used(), 0);
});
