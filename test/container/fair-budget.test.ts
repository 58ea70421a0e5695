// One peer's trickling messages do not keep the others' out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFairBudget } from '#container/fair-budget.ts';

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
