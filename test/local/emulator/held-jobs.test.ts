// What the emulator world knows of jobs that wait for a fault of ours: by the lines of the functions' log.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHeldJobs } from '#local/emulator/held-jobs.ts';
import type { EventName } from '#pipeline/observe/event-names.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';

function world() {
  const clock = setClock();
  const held = createHeldJobs(clock);
  const say = (event: EventName, fields: object = {}): void => {
    const retryAt = new Date(clock() + 30_000).toISOString();
    const facts = { stage: 'deliver', queue: 'deliver', id: 'A', domain: 'one.test', reason: 'no key', retryAt };
    held.note({ level: 'error', event, fields: { ...facts, ...fields } });
  };
  return { clock, held, say };
}

test('jobs that wait are counted by queue and reason, a job once however often it was tried', () => {
  const { held, say } = world();
  say('own-fault');
  say('own-fault');
  say('own-fault', { domain: 'other.test' });
  say('own-fault', { id: 'B', reason: 'no disk' });
  assert.deepEqual(
    held.faultsOf('deliver').map(({ reason, jobs }) => [reason, jobs]),
    [
      ['no key', 2],
      ['no disk', 1],
    ],
  );
  assert.deepEqual([held.faultsOf('parse'), held.of('A').length], [[], 2]);
});

test('a job is known no more when the log says what came of it, or a minute after it was to be tried', () => {
  const { clock, held, say } = world();
  say('own-fault');
  say('own-fault', { id: 'B' });
  say('delivery-attempt');
  assert.deepEqual([held.of('A'), held.of('B').length], [[], 1]);
  clock.advance(91_000);
  assert.deepEqual(held.faultsOf('deliver'), []);
});

test('a job that failed is known with its error and its tries, and is no fault of ours', () => {
  const { held, say } = world();
  say('job-failed', { error: 'Error: out of memory', receiveCount: 3, reason: undefined });
  assert.deepEqual(
    held.of('A').map(({ waits, reason, tries }) => ({ waits, reason, tries })),
    [{ waits: 'retry', reason: 'Error: out of memory', tries: 3 }],
  );
  assert.deepEqual(held.faultsOf('deliver'), []);
  say('job-dead');
  assert.deepEqual(held.of('A'), []);
});

test('a hook that failed is known by its message until it is told, and is no fault of ours', () => {
  const { clock, held, say } = world();
  const next = new Date(clock() + 10_000).toISOString();
  const of = { stage: 'notify', queue: 'notify', domain: '', hook: 'tickets' };
  say('hook-failed', { ...of, attempt: 2, reason: 'it answered 503', next });
  say('hook-failed', { ...of, hook: 'other', attempt: 1, reason: 'it answered 500', next });
  const [tickets] = held.of('A');
  assert.deepEqual(
    [tickets?.queue, tickets?.reason, tickets?.retryAt],
    ['notify', 'hook tickets failed in attempt 2: it answered 503', next],
  );
  assert.deepEqual(held.faultsOf('notify'), []);
  say('hook-told', of);
  assert.deepEqual(
    held.of('A').map(({ reason }) => reason),
    ['hook other failed in attempt 1: it answered 500'],
  );
});
