import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextAttempt } from '#functions/deliver/outcome/retry-schedule.ts';

const retrySeconds = [300, 600, 1_200, 2_400, 3_600, 7_200, 14_400];
const start = Date.parse('2026-11-21T00:00:00.000Z');
const expiresAt = new Date(start + 432_000_000).toISOString();

test('waits 5, 10, 20, 40 min, 1, 2, 4 h, then 4 h each', () => {
  for (const [index, seconds] of [...retrySeconds, 14_400, 14_400].entries()) {
    const next = nextAttempt({ attempt: index + 1, now: start, retrySeconds, expiresAt, random: () => 0.5 });
    assert.deepEqual(next, { outcome: 'retry', at: new Date(start + seconds * 1_000).toISOString() });
  }
});

test('spreads each wait by ten percent either way', () => {
  const at = (random: number) => {
    const next = nextAttempt({ attempt: 1, now: start, retrySeconds, expiresAt, random: () => random });
    return next.outcome === 'retry' ? (Date.parse(next.at) - start) / 1_000 : null;
  };
  assert.equal(at(0), 270);
  assert.equal(at(1), 330);
});

test('the last attempt is at expiry, and after it there is none', () => {
  const random = () => 0.5;
  const now = Date.parse(expiresAt) - 60_000;
  assert.deepEqual(nextAttempt({ attempt: 30, now, retrySeconds, expiresAt, random }), {
    outcome: 'retry',
    at: expiresAt,
  });
  const over = Date.parse(expiresAt);
  assert.deepEqual(nextAttempt({ attempt: 31, now: over, retrySeconds, expiresAt, random }), { outcome: 'give-up' });
});

test('a message that is deferred throughout its five days is tried about 35 times and then given up', () => {
  let now = start;
  for (let attempt = 1; ; attempt++) {
    const next = nextAttempt({ attempt, now, retrySeconds, expiresAt, random: () => (attempt * 0.37) % 1 });
    if (next.outcome === 'give-up') {
      assert.ok(attempt > 30 && attempt < 42, String(attempt));
      return;
    }
    assert.ok(Date.parse(next.at) > now);
    now = Date.parse(next.at);
  }
});
