// What follows from a webhook's answer, and when it is told again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeAnswer, nextAttemptAt } from '#functions/notify/judge-answer.ts';

const nowMs = Date.parse('2026-11-21T12:00:00.000Z');
const answered = (status: number, text = '', retryAfter: string | null = null) =>
  judgeAnswer({ kind: 'answered', status, retryAfter, text }, nowMs);

for (const status of [200, 202, 204, 299]) {
  test(`${status} is success`, () =>
    assert.deepEqual(answered(status), { outcome: 'told', said: '', answered: status }));
}

for (const status of [100, 301, 307, 400, 401, 404, 409, 422, 429, 500, 503]) {
  test(`${status} is tried again`, () => assert.equal(answered(status).outcome, 'failed'));
}

test('410 is given up at once, and says so', () => {
  assert.deepEqual(answered(410), { outcome: 'gone', reason: 'it answered 410: it is to be told no more' });
});

test('the reason is one line, with the beginning of the answer and no control characters', () => {
  const found = answered(500, `\u001b[31mno\r\ndatabase\u202e ${'x'.repeat(5_000)}`);
  assert.ok(found.outcome === 'failed');
  assert.match(found.reason, /^it answered 500: \[31mno database x+$/);
  assert.ok(found.reason.length < 230);
});

test('a redirect is named as such', () => {
  const found = answered(302);
  assert.equal(found.outcome === 'failed' && found.reason, 'it answered 302, and redirects are not followed');
});

const asked: readonly { readonly retryAfter: string; readonly afterMs: number }[] = [
  { retryAfter: '120', afterMs: 120_000 },
  { retryAfter: 'Sat, 21 Nov 2026 12:05:00 GMT', afterMs: 300_000 },
  { retryAfter: 'Sat, 21 Nov 2026 11:00:00 GMT', afterMs: 0 },
  { retryAfter: '999999999999', afterMs: 21_600_000 },
  { retryAfter: 'soon', afterMs: 0 },
];
for (const { retryAfter, afterMs } of asked) {
  test(`Retry-After: ${retryAfter} is a wait of ${afterMs / 1_000} s (RFC 9110 §10.2.3)`, () => {
    const found = answered(503, '', retryAfter);
    assert.equal(found.outcome === 'failed' && found.afterMs, afterMs);
  });
}

const createdAt = new Date(nowMs).toISOString();
const next = (attempt: number, over: { elapsedMs?: number; afterMs?: number; random?: number } = {}) => {
  const { elapsedMs = 0, afterMs = 0, random = 0.5 } = over;
  const at = nextAttemptAt({ attempt, createdAt }, { nowMs: nowMs + elapsedMs, afterMs, random });
  return at === null ? null : (at - nowMs - elapsedMs) / 1_000;
};

test('it is tried after 10 s, 1, 5, 15, 30 and 60 minutes, then each hour, ten percent more or less', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 20].map((attempt) => next(attempt)),
    [...[10, 60, 300, 900, 1_800, 3_600], ...[3_600, 3_600]],
  );
  assert.deepEqual([next(1, { random: 0 }), next(1, { random: 1 })], [9, 11]);
});

test('a longer wait that the receiver asks for is kept, a shorter one is not', () => {
  assert.deepEqual([next(1, { afterMs: 90_000 }), next(3, { afterMs: 90_000 })], [90, 300]);
});

test('the last attempt is a day after the first; then it is given up', () => {
  assert.equal(next(25, { elapsedMs: 86_400_000 - 60_000 }), 60);
  assert.equal(next(25, { elapsedMs: 86_400_000 }), null);
});
