// When a domain that calls its addresses non-existent is not believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInTrouble, type Refusals, withRefusals } from '#pipeline/contract/records/refusals.ts';

const minute = 60_000;
const start = Date.parse('2026-11-26T10:00:00.000Z');
const at = (minutes: number): string => new Date(start + minutes * minute).toISOString();

/** Refusals of one address each, at minutes; `accepted` with each. */
function refused(
  count: number,
  { every = 1, accepted = 0, same = false, from = 0 } = {},
  before: Refusals | null = null,
) {
  let record = before;
  for (let n = 0; n < count; n++) {
    const localParts = [same ? 'joe' : `user${n}`];
    record = withRefusals(record, { localParts, accepted, at: at(from + n * every) });
  }
  return record;
}

for (const { title, record, now, isIn } of [
  { title: 'ten addresses within an hour are trouble', record: refused(10), now: 9, isIn: true },
  { title: 'it holds from the first of them', record: refused(10), now: 0, isIn: true },
  { title: 'it holds an hour after the last', record: refused(10), now: 68, isIn: true },
  { title: 'and no longer', record: refused(10), now: 70, isIn: false },
  { title: 'nine addresses are none', record: refused(9), now: 8, isIn: false },
  {
    title: 'one address a hundred times is none',
    record: refused(100, { same: true, every: 0.1 }),
    now: 9,
    isIn: false,
  },
  {
    title: 'ten of many more that were accepted are none',
    record: refused(30, { accepted: 20 }),
    now: 29,
    isIn: false,
  },
  { title: 'one refused of four is', record: refused(30, { accepted: 3 }), now: 29, isIn: true },
  { title: 'one refused of five is none', record: refused(30, { accepted: 4 }), now: 29, isIn: false },
  {
    title: 'a host that took a thousand within the hour and then refuses ten is in trouble',
    record: refused(9, { from: 31 }, withRefusals(refused(1), { localParts: ['x'], accepted: 1_000, at: at(30) })),
    now: 30,
    isIn: true,
  },
  { title: 'ten in three hours are none', record: refused(10, { every: 20 }), now: 180, isIn: false },
]) {
  test(`refusals of a domain: ${title}`, () => {
    assert.equal(isInTrouble(record?.troubles ?? [], at(now)), isIn);
  });
}

test('while trouble lasts nothing is counted; where it goes on, it holds on, and what it began with is still in it', () => {
  const first = refused(10);
  assert.equal(refused(20, { from: 10 }, first), first, 'half an hour costs no write');
  const on = refused(30, { from: 42 }, first);
  for (const now of [0, 30, 69, 100]) assert.ok(isInTrouble(on?.troubles ?? [], at(now)), `minute ${now}`);
});

test('what was said before the first that was counted is part of the same trouble', () => {
  const second = withRefusals(refused(9), { localParts: ['joe'], accepted: 0, at: at(-0.1) });
  assert.ok(isInTrouble(second.troubles, at(-0.1)));
  const ten = Array.from({ length: 10 }, (_, n) => `user${n}`);
  const counted = withRefusals(null, { localParts: ten, accepted: 0, at: at(0) });
  const late = withRefusals(counted, { localParts: ['ann'], accepted: 0, at: at(-0.1) });
  assert.ok(isInTrouble(late.troubles, at(-0.1)), 'an answer that came first and was counted last');
});
