import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createCoalescer } from '#pipeline/aws/coalescer.ts';

/** A coalescer of letters that lingers 5 ms, and 500 at the longest while fewer than `expected()` are waiting. */
function lettersOver(expected: () => number) {
  const flushed: string[] = [];
  const add = createCoalescer<string>({
    maxItems: 10,
    maxBytes: 100,
    lingerMs: 5,
    longestMs: 500,
    mayGrow: (items) => items < expected(),
    sizeOf: () => 1,
    flush: async (items) => {
      flushed.push(items.join(''));
      return items.map(() => null);
    },
  });
  return { add, flushed };
}

test('what is ready early waits for what the other jobs still send, and leaves with it at once', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { add, flushed } = lettersOver(() => 2);
  void add('a');
  pass(context, 300);
  assert.deepEqual(flushed, []);
  void add('b');
  pass(context, 5);
  assert.deepEqual(flushed, ['ab']);
});

test('nothing waits longer than half a second for a job that takes its time, nor for one that has ended without sending', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let running = 2;
  const { add, flushed } = lettersOver(() => running);
  void add('a');
  pass(context, 495);
  assert.deepEqual(flushed, []);
  pass(context, 5);
  assert.deepEqual(flushed, ['a']);
  void add('b');
  pass(context, 50);
  running = 1;
  pass(context, 5);
  assert.deepEqual(flushed, ['a', 'b']);
});

/** In steps, since a timer that is set by another counts from the end of a step. */
function pass({ mock }: TestContext, milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += 5) mock.timers.tick(5);
}
