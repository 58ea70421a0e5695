// The log goes into the database file when there is a pause, once a second at most, and only if something was written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkpointWhenIdle } from '#local/embedded/idle-checkpoint.ts';

test('a checkpoint waits for a pause, and for a second after the one before; a failed one is tried again', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let [now, written, isFull] = [0, 7, false];
  const done: number[] = [];
  const idle = checkpointWhenIdle(
    {
      checkpoint: () => {
        done.push(now);
        if (isFull) throw new Error('disk full');
      },
      changes: () => written,
    },
    () => now,
  );
  t.after(idle.stop);
  const pass = (ms: number, isBusy: boolean): void => {
    for (let passed = 0; passed < ms; passed += 5) {
      if (isBusy) idle.worked();
      now += 5;
      t.mock.timers.tick(5);
    }
  };
  idle.worked();
  pass(100, false);
  assert.deepEqual(done, [], 'nothing was written');
  written += 1;
  pass(400, true);
  assert.deepEqual(done, [], 'no pause');
  pass(5_000, false);
  assert.deepEqual(done, [505], 'in the first pause, once');
  now = 6_000;
  for (let n = 0; n < 50; n++) {
    written += 1;
    idle.worked();
    pass(50, false);
  }
  assert.deepEqual(done.slice(1), [6_010, 7_010, 8_010], 'pauses all the time');
  isFull = true;
  pass(2_000, false);
  idle.worked();
  pass(20, false);
  assert.equal(done.length, 6, 'what failed is tried again after the next batch');
});
