import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectGarbage } from '#container/limits/collect-garbage.ts';

const mebibyte = 1_048_576;
const buffers = (mebibytes: number): Buffer[] => Array.from({ length: mebibytes }, () => Buffer.alloc(mebibyte));

test('buffers that have grown old are given back too, once there are 16 MiB more than before', () => {
  const read = () => collectGarbage(8 * mebibyte);
  read();
  const before = process.memoryUsage().external;
  const grownMiB = () => Math.round((process.memoryUsage().external - before) / mebibyte);
  let held = buffers(20);
  for (let round = 0; round < 3; round++) read(); // what survives two collections is old
  assert.ok(grownMiB() >= 20, `${held.length} MiB are in use`);
  held = buffers(20);
  for (let round = 0; round < 2; round++) read(); // the memory is given back in the background, at the next one at the latest
  assert.ok(grownMiB() < 30, `${grownMiB()} MiB more, and ${held.length} are in use`);
});
