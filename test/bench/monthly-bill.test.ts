import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMeasuredCalls, smallStanding } from '#bench/cost/cost.ts';
import { besidesLines, mailManagerBill, pillarboxBill, sesReceivingBill, total } from '#bench/cost/monthly-bill.ts';

const tenMillion = { mails: 10_000_000, bytes: 50 * 1024, retentionDays: 30 };

test('ten million mails of 50 KiB a month cost at most a fifth of SES receiving, by the calls measured', () => {
  const ours = total(pillarboxBill(tenMillion, readMeasuredCalls(), smallStanding));
  const theirs = total(sesReceivingBill(tenMillion));
  assert.ok(
    ours / theirs <= 0.2,
    `$${ours.toFixed(2)} is ${((ours / theirs) * 100).toFixed(1)} % of $${theirs.toFixed(2)}`,
  );
});

test('what comes besides is told: groups of the queue, pollers, events, transfer between zones and out', () => {
  const lines = besidesLines(tenMillion, readMeasuredCalls());
  assert.deepEqual(
    lines.map(({ what, dollars }) => `${what} ${dollars.toFixed(1)}`),
    ['Fair queue 1.3', 'Idle pollers 0.5', 'EventBridge 40.0', 'Between zones 5.2', 'To the internet 5.1'],
  );
});

test('a message that has to be judged is read twice, and twice is counted', () => {
  assert.ok(readMeasuredCalls().gets >= 2);
});

test('the bill of SES receiving is its price a thousand and what has to stand behind it', () => {
  const [receiving] = sesReceivingBill(tenMillion);
  assert.equal(receiving?.dollars, 1_000);
  assert.ok(Math.abs(total(sesReceivingBill(tenMillion)) - 1_092) < 1);
});

test('SES charges each full chunk of 256 KiB, and a smaller mail none', () => {
  const [small] = sesReceivingBill({ mails: 1_000, bytes: 256 * 1024 - 1, retentionDays: 30 });
  const [large] = sesReceivingBill({ mails: 1_000, bytes: 512 * 1024, retentionDays: 30 });
  assert.equal(small?.dollars.toFixed(4), '0.1000');
  assert.equal(large?.dollars.toFixed(4), '0.2800');
});

test('Mail Manager costs its endpoint even when no mail comes', () => {
  assert.equal(total(mailManagerBill({ mails: 0, bytes: 1, retentionDays: 30 })), 50);
});

test('twice the mail costs twice the requests, and the standing parts no more', () => {
  const calls = readMeasuredCalls();
  const lineOf = (mails: number, what: string) =>
    pillarboxBill({ ...tenMillion, mails }, calls, smallStanding).find((line) => line.what === what)?.dollars ??
    Number.NaN;
  assert.ok(Math.abs(lineOf(2_000_000, 'S3 requests') - 2 * lineOf(1_000_000, 'S3 requests')) < 1e-9);
  assert.equal(lineOf(2_000_000, 'Fargate'), lineOf(1_000_000, 'Fargate'));
});
