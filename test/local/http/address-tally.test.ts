// What strangers do by the thousand is a few lines in the log, and no count is lost.
import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { type AddressTally, tallyByAddress } from '#local/http/address-tally.ts';

let told: [string | null, number][];
let tally: AddressTally;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  told = [];
  tally = tallyByAddress((ip, count) => told.push([ip, count]));
});

const add = (ip: string, times: number): void => {
  for (let n = 0; n < times; n += 1) tally.add(ip);
};

test('the first time is reported at once, the rest after ten seconds, and then nothing', () => {
  add('192.0.2.1', 1_000);
  assert.deepEqual(told, [['192.0.2.1', 1]]);
  mock.timers.tick(10_000);
  assert.deepEqual(told, [
    ['192.0.2.1', 1],
    ['192.0.2.1', 999],
  ]);
  mock.timers.tick(60_000);
  assert.equal(told.length, 2);
});

test('an address that goes on is reported every ten seconds', () => {
  for (let round = 0; round < 5; round += 1) {
    add('192.0.2.1', 10);
    mock.timers.tick(10_000);
  }
  assert.equal(
    told.reduce((sum, [, count]) => sum + count, 0),
    50,
  );
  assert.ok(told.length <= 10);
});

test('of thousands of addresses twenty are named and the others summed up', () => {
  for (let n = 0; n < 20_000; n += 1) tally.add(`10.0.${n >> 8}.${n & 255}`);
  assert.equal(told.length, 20);
  tally.stop();
  assert.ok(told.length <= 41);
  assert.equal(told.at(-1)?.[0], null);
  assert.equal(
    told.reduce((sum, [, count]) => sum + count, 0),
    20_000,
  );
});
