// Fifty sandboxes of deliver have mail for one host, which takes five connections (docs/delivery.md, One limit for the fleet).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playFleet } from './delivery-fleet.ts';
import type { Faults } from './faults.ts';

const minuteMs = 60_000;
const well = { refused: 0, doneButRefused: 0, lostBefore: 0, lostAfter: 0, conflict: 0, slowestMs: 60, outages: [] };

/** None, but that the host thinks for up to a second before each answer. */
const calm: Faults = {
  s3: well,
  sqs: { ...well, duplicate: 0, afterDelete: 0, deleteFails: 0 },
  functions: { crash: 0, freeze: 0, throttle: 0, longestFreezeMs: 1_000 },
  listener: { crashes: 0, isReplaced: false },
  dns: { fails: 0, isMute: [] },
  peers: { busy: 0, drops: 0, losesAnswer: 0, slowestMs: 1_000, down: [] },
  client: { breaksOff: 0 },
  skewMs: 0,
  endAtMs: 120 * minuteMs,
};

const deliveredAll = (jobs: number): readonly string[] => Array.from({ length: jobs }, () => 'delivered');

test('a host never has more than five connections from fifty sandboxes, of which some are killed or stand still, over an S3 that refuses, loses and conflicts', async (t) => {
  const jobs = 150;
  const faults = {
    ...calm,
    s3: { ...well, refused: 0.03, doneButRefused: 0.02, lostBefore: 0.02, lostAfter: 0.02, conflict: 0.1 },
    functions: { crash: 0.05, freeze: 0.1, throttle: 0, longestFreezeMs: 15_000 },
    skewMs: 5_000,
  };
  const { states, ...seen } = await playFleet({ seed: 2, jobs, sandboxes: 50, faults });
  t.diagnostic(JSON.stringify(seen));
  assert.ok(seen.sandboxes >= 50 && seen.killed > 0 && seen.stoodStill > seen.killed);
  assert.equal(seen.mostOpen, 5);
  assert.deepEqual(
    states.map(({ state }) => state),
    deliveredAll(jobs),
  );
  assert.deepEqual([seen.left, seen.dead], [0, 0]);
});

test('leases are renewed while a message takes a minute, and whoever is refused a connection has not failed', async (t) => {
  const jobs = 30;
  const faults = { ...calm, peers: { ...calm.peers, slowestMs: 20_000 } };
  const { states, ...seen } = await playFleet({ seed: 3, jobs, sandboxes: 50, faults });
  t.diagnostic(JSON.stringify(seen));
  assert.equal(seen.mostOpen, 5);
  assert.deepEqual(
    states.map(({ state }) => state),
    deliveredAll(jobs),
  );
  assert.deepEqual([seen.taken, seen.left, seen.dead], [jobs, 0, 0]);
  assert.deepEqual([...new Set(states.map(({ attempts }) => attempts.length))], [1]);
});
