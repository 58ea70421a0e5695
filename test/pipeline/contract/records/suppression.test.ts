// How long an address is not written to, and for whose mail: by table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { refusalsKey } from '#pipeline/contract/keys.ts';
import type { Trouble } from '#pipeline/contract/records/refusals.ts';
import {
  emptyRecord,
  type HardBounce,
  heldEntries,
  type SuppressionRecord,
  suppressionRecord,
  withBounce,
  withOperatorEntry,
  withoutBounces,
} from '#pipeline/contract/records/suppression.ts';
import { suppressionLookup } from '#pipeline/contract/records/suppression-lookup.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';

const day = 86_400_000;
const start = Date.parse('2026-11-26T10:00:00.000Z');
const at = (days: number): string => new Date(start + days * day).toISOString();
const parsed = parseAddress('Gone@far.example');
assert.ok(!isProblem(parsed));
const address = parsed;
const bounce = (days: number, over: Partial<HardBounce> = {}): HardBounce => ({
  sender: 'a.example',
  at: at(days),
  reason: '550 5.1.1 no such user',
  status: '5.1.1',
  host: 'mx.far.example',
  messageId: `message on day ${days}`,
  ...over,
});
const after = (...bounces: readonly HardBounce[]): SuppressionRecord =>
  bounces.reduce((record, one) => withBounce(record, one, []), emptyRecord(address));
const heldOn = (record: SuppressionRecord, days: number, troubles: readonly Trouble[] = []): string[] =>
  heldEntries(record, troubles, start + days * day).map(([sender]) => sender);

test('a hard bounce holds for a day, for the mail of that sender', () => {
  const record = after(bounce(0));
  assert.deepEqual(heldOn(record, 0.99), ['a.example']);
  assert.deepEqual(heldOn(record, 1.01), []);
});

for (const { title, days, end } of [
  { title: 'after its end holds for a week', days: [0, 2], end: 9 },
  { title: 'and again for a month', days: [0, 2, 10], end: 40 },
  { title: 'and again for three months', days: [0, 2, 10, 41], end: 131 },
  { title: 'and no longer than that', days: [0, 2, 10, 41, 132], end: 222 },
  { title: 'before its end makes it no longer', days: [0, 0.1, 0.2, 0.9], end: 1 },
  { title: 'half a year after its end is the first again', days: [0, 200], end: 201 },
]) {
  test(`a hard bounce ${title}`, () => {
    const record = after(...days.map((one) => bounce(one)));
    assert.equal(record.senders['a.example']?.expiresAt, at(end));
    assert.equal(record.senders['a.example']?.count, days.length === 2 && days[1] === 200 ? 1 : days.length);
  });
}

test('one bounce told twice counts once', () => {
  const once = after(bounce(0));
  assert.equal(withBounce(once, bounce(0), []), once);
});

test('each sender has its own entry, and mail that was taken ends all that bounces wrote', () => {
  const record = after(bounce(0), bounce(0.5, { sender: 'b.example' }));
  assert.deepEqual(heldOn(record, 0.9), ['a.example', 'b.example']);
  assert.deepEqual(heldOn(record, 1.2), ['b.example']);
  assert.deepEqual(heldOn(withoutBounces(record), 0.9), []);
});

test('what a domain said in an hour of trouble holds for nobody, and is no first of several', () => {
  const troubles = [{ from: at(-0.01), until: at(0.01) }];
  const record = after(bounce(0));
  assert.deepEqual(heldOn(record, 0.5, troubles), []);
  const later = withBounce(record, bounce(2), troubles);
  assert.equal(later.senders['a.example']?.expiresAt, at(3));
});

test('an operator’s entry stays until it ends or is taken off, whatever bounces and whoever takes mail', () => {
  const given = { sender: 'a.example', reason: 'asked for it', days: null, at: at(0) };
  const record = withBounce(withOperatorEntry(emptyRecord(address), given), bounce(0.5), []);
  assert.deepEqual(heldOn(record, 5_000), ['a.example']);
  assert.deepEqual(heldOn(withoutBounces(record), 1), ['a.example']);
  assert.equal(record.senders['a.example']?.reason, 'asked for it');
  const short = withOperatorEntry(emptyRecord(address), { ...given, days: 3 });
  assert.deepEqual([heldOn(short, 2.9), heldOn(short, 3.1)], [['a.example'], []]);
});

test('a record of an earlier version holds for all senders, and ends 30 days after its date', () => {
  const old = {
    schema: 'suppression/1',
    address: 'gone@far.example',
    at: at(0),
    messageId: 'x',
    host: 'mx',
    reason: '550',
  };
  const object = { key: suppressionRecord.key(address), modifiedAt: at(20) };
  const record = suppressionRecord.parse(old, object);
  assert.deepEqual([heldOn(record, 29), heldOn(record, 31)], [['*'], []]);
  assert.deepEqual(heldOn(suppressionRecord.parse({}, object), 49), ['*'], 'without a date that of its object counts');
});

test('the lookup says why, since when and until when; other senders are written to, and their success is asked for', async () => {
  const store = createMemoryStore();
  const clock = setClock(at(0.5));
  const ask = suppressionLookup(store, clock);
  assert.deepEqual(await ask(address, 'a.example'), { outcome: 'written' });
  store.seed(suppressionRecord.key(address), JSON.stringify(after(bounce(0))));
  const reason =
    '550 5.1.1 no such user (mail from a.example is refused since 2026-11-26 10:00 UTC, until 2026-11-27 10:00 UTC)';
  assert.deepEqual(await ask(address, 'a.example'), { outcome: 'suppressed', reason });
  assert.deepEqual(await ask(address, 'b.example'), { outcome: 'doubted' });
  assert.deepEqual(await ask(address, null), { outcome: 'doubted' });
  const refusals = { schema: 'refusals/1', from: at(0), accepted: 0, refused: 10, localParts: [] };
  const troubles = [{ from: at(-0.01), until: at(0.04) }];
  store.seed(refusalsKey('far.example'), JSON.stringify({ ...refusals, troubles }));
  assert.deepEqual(await ask(address, 'a.example'), { outcome: 'doubted' });
});
