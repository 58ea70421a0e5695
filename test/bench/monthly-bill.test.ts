import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readMeasuredCalls, smallStanding } from '#bench/cost/cost.ts';
import {
  eventBridgeLines,
  mailManagerBill,
  pillarboxBill,
  sendingBill,
  sesReceivingBill,
  total,
} from '#bench/cost/monthly-bill.ts';

const tenMillion = { mails: 10_000_000, bytes: 50 * 1024, retentionDays: 30 };

/** A fifth: $218. */
const most = 0.2;

test('ten million mails of 50 KiB a month cost at most a fifth of SES receiving with all that is on by default, by the calls measured', () => {
  const ours = total(pillarboxBill(tenMillion, readMeasuredCalls(), smallStanding));
  const theirs = total(sesReceivingBill(tenMillion));
  assert.ok(
    ours / theirs <= most,
    `$${ours.toFixed(2)} is ${((ours / theirs) * 100).toFixed(1)} % of $${theirs.toFixed(2)}`,
  );
});

test('the bill holds all that is on by default: groups of the queue, pollers, transfer out', () => {
  const lines = pillarboxBill(tenMillion, readMeasuredCalls(), smallStanding);
  const dollars = Object.fromEntries(lines.map((line) => [line.what, line.dollars.toFixed(1)]));
  for (const [what, expected] of Object.entries({
    'SQS, idle pollers': '0.5',
    'SQS, fair queue': '0.2',
    'To the internet': '5.1',
    'Secrets, image': '1.9',
  }))
    assert.equal(dollars[what], expected, what);
});

test('the calls were measured as a month of ten million brings them', () => {
  const { mailsPerSecond, lambdaRequests, secondsToInbox } = readMeasuredCalls();
  assert.equal(mailsPerSecond, 3.8);
  assert.ok(lambdaRequests > 2 / 10, 'batches of five pollers are not full at that rate');
  assert.ok(secondsToInbox.p50 < secondsToInbox.p99 && secondsToInbox.p99 < 15);
});

test('events of S3 and sending are beside the bill', () => {
  const told = eventBridgeLines(tenMillion, readMeasuredCalls()).map((line) => line.dollars);
  assert.deepEqual(told, [10, 40]);
  const sending = sendingBill({ ...tenMillion, mails: 1_000_000 }, 512);
  const dollars = Object.fromEntries(sending.map((line) => [line.what, line.dollars.toFixed(1)]));
  assert.deepEqual(
    [dollars['S3 requests'], dollars['To the internet'], dollars['through SES']],
    ['17.4', '4.7', '160.0'],
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

test('what the comparison and the tutorial say of the bill of AWS is what is computed', () => {
  const dollars = (mails: number): string => {
    const bill = pillarboxBill({ ...tenMillion, mails }, readMeasuredCalls(), smallStanding);
    return `$${total(bill).toFixed(0)}`;
  };
  const page = (name: string): string => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8');
  const [little, much] = [dollars(10_000), dollars(tenMillion.mails)];
  assert.ok(page('tutorials/aws').includes(`about ${little} a\nmonth at the prices of us-east-1`), little);
  assert.ok(page('comparison').includes(`about ${little} a month with little mail, ${much} with ten million`), much);
});
