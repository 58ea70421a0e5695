import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchActivity } from '#ops/activity.ts';
import { createMetricsRegistry } from '#pipeline/observe/metrics.ts';

const none = { received: 0, refused: 0, inbox: 0, quarantined: 0, delivered: 0, deferred: 0, bounced: 0 };

test('each minute has what the counters moved in it, from the start of watching on', (t) => {
  let now = Date.parse('2026-11-21T10:00:30.000Z');
  const metrics = createMetricsRegistry();
  metrics.count('messages-accepted', { role: 'mx' }, 7);
  const activity = watchActivity(metrics, () => now);
  t.after(activity.stop);
  assert.deepEqual(activity.recent(), { since: '2026-11-21T10:00:30.000Z', minutes: [], hours: [] });
  metrics.count('messages-accepted', { role: 'mx' });
  metrics.count('messages-accepted', { role: 'submission' }, 2);
  metrics.count('messages-stored', { action: 'quarantine' });
  activity.recent();
  metrics.count('refusals', { reason: '550 5.1.1' });
  metrics.count('messages-stored', { action: 'accept' }, 4);
  activity.recent();
  now += 120_000;
  metrics.count('deliveries', { outcome: 'deferred' });
  metrics.count('deliveries', { outcome: 'delivered' });
  metrics.count('deliveries', { outcome: 'bounced' }, 3);
  assert.deepEqual(activity.recent().minutes, [
    { ...none, at: '2026-11-21T10:00:00.000Z', received: 3, refused: 1, inbox: 4, quarantined: 1 },
    { ...none, at: '2026-11-21T10:02:00.000Z', deferred: 1, delivered: 1, bounced: 3 },
  ]);
  now += 3_600_000;
  metrics.count('refusals', { reason: '550 5.1.1' });
  const outcomes = { deferred: 1, delivered: 1, bounced: 3 };
  assert.deepEqual(activity.recent().hours, [
    { ...none, ...outcomes, at: '2026-11-21T10:00:00.000Z', received: 3, refused: 1, inbox: 4, quarantined: 1 },
    { ...none, at: '2026-11-21T11:00:00.000Z', refused: 1 },
  ]);
});

test('a minute is forgotten after a day, an hour after a week, so that memory does not grow', (t) => {
  let now = Date.parse('2026-11-20T00:00:00.000Z');
  const metrics = createMetricsRegistry();
  const activity = watchActivity(metrics, () => now);
  t.after(activity.stop);
  for (let minute = 0; minute < 2_000; minute += 1) {
    metrics.count('messages-accepted', { role: 'mx' });
    activity.recent();
    now += 60_000;
  }
  assert.equal(activity.recent().minutes.length, 1_439);
  for (let hour = 0; hour < 200; hour += 1) {
    metrics.count('messages-accepted', { role: 'mx' });
    activity.recent();
    now += 3_600_000;
  }
  assert.equal(activity.recent().hours.length, 167);
});
