import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { writeLines } from '#local/terminal/write-lines.ts';

test('lines of one turn leave together and in order, the next turn’s by themselves', async () => {
  const written: string[] = [];
  const lines = writeLines((text) => written.push(text));
  lines.line('one\n');
  lines.line('two\n');
  assert.deepEqual(written, []);
  await setImmediate();
  lines.line('three\n');
  await setImmediate();
  assert.deepEqual(written, ['one\ntwo\n', 'three\n']);
});

test('what still waits when the process ends is written, and only once', async () => {
  const written: string[] = [];
  const lines = writeLines((text) => written.push(text));
  lines.line('last words\n');
  lines.flush();
  lines.flush();
  await setImmediate();
  assert.deepEqual(written, ['last words\n']);
});
