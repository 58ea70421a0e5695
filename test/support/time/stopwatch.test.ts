// What bounds on time in other tests rest on: nothing that the measured work did or waited for is left out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { stopwatch } from './stopwatch.ts';

test('what is computed counts', () => {
  const elapsedMs = stopwatch();
  const before = process.threadCpuUsage();
  const ranMs = () => process.threadCpuUsage(before).user / 1_000;
  while (ranMs() < 200);
  assert.ok(elapsedMs() >= 199, `${elapsedMs()} ms`);
});

test('what is waited for counts, but for a busy machine', async () => {
  const elapsedMs = stopwatch();
  const from = performance.now();
  await pause(300);
  const tookMs = elapsedMs();
  assert.ok(tookMs >= 250 && tookMs <= performance.now() - from, `${tookMs} ms`);
});
