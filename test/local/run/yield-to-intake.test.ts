import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yieldToIntake } from '#local/run/yield-to-intake.ts';
import type { Intake } from '#pipeline/contract/ports.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';

const job = sampleReceivedJob();

/** An intake whose commits end when the gate opens. */
function slowIntake(gate: Promise<void>): Intake {
  return { open: () => ({ write: () => undefined, commit: () => gate, abort: async () => {} }) };
}

function commitMany(intake: Intake, count: number): Promise<void>[] {
  return Array.from({ length: count }, () => intake.open({ key: job.raw.key, envelope: {} }).commit(job));
}

test('stages need not wait where only a few messages come at once', () => {
  const { intake, whenQuiet } = yieldToIntake(slowIntake(Promise.resolve()));
  commitMany(intake, 20);
  assert.equal(whenQuiet(), undefined);
});

test('in a rush stages wait, but never long', async () => {
  const gate = Promise.withResolvers<void>();
  const { intake, whenQuiet } = yieldToIntake(slowIntake(gate.promise));
  const committed = commitMany(intake, 50);
  const startedAt = performance.now();
  const elapsedMs = stopwatch();
  const waited = whenQuiet();
  assert.ok(waited instanceof Promise);
  await waited;
  const tookMs = elapsedMs();
  assert.ok(performance.now() - startedAt > 20 && tookMs < 1_000, `${tookMs} ms`);
  gate.resolve();
  await Promise.all(committed);
});

test('a message that could not be stored counts no longer', async () => {
  const gate = Promise.withResolvers<void>();
  const { intake, whenQuiet } = yieldToIntake(slowIntake(gate.promise));
  const committed = commitMany(intake, 20);
  gate.reject(new Error('full'));
  await Promise.allSettled(committed);
  commitMany(intake, 20).forEach((commit) => void commit.catch(() => {}));
  assert.equal(whenQuiet(), undefined);
});

test('in a rush that goes on and on stages get their part: they hardly wait', async () => {
  const time = { ms: 0 };
  const { intake, whenQuiet } = yieldToIntake(slowIntake(new Promise(() => {})), () => time.ms);
  for (; time.ms < 11_000; time.ms += 500) void commitMany(intake, 30);
  const waited = whenQuiet();
  time.ms += 10;
  await waited; // with a clock that stands still: over after the pause of 10 ms, or never
  time.ms += 1_100;
  void commitMany(intake, 1); // there are many more under way: another rush begins
  let isOver = false;
  void whenQuiet()?.then(() => {
    isOver = true;
  });
  time.ms += 20;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(isOver, false);
  time.ms += 400;
});
