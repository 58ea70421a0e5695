// Records as the version before left them, under the keys it used; and how one is moved on while others do the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOffRecord, readBackedOff } from '#pipeline/contract/records/back-off.ts';
import { blockedPortRecord, readBlockedPort } from '#pipeline/contract/records/blocked-port.ts';
import { refusalsRecord } from '#pipeline/contract/records/refusals.ts';
import { stsPolicyRecord } from '#pipeline/contract/records/sts-policy.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';

const at = '2026-11-26T10:00:00.000Z';
const until = '2026-11-26T10:30:00.000Z';
const clock = setClock('2026-11-26T10:10:00.000Z');
const backOff = { schema: 'destination/1', destination: '192.0.2.1 port 25', failures: 2, at, until, reason: '421' };
const refusals = { schema: 'refusals/1', from: at, accepted: 1, refused: 2, localParts: ['a', 'b'], troubles: [] };

test('a back-off, a policy, a blocked port and refusals are read where the version before stored them', async () => {
  const store = createMemoryStore();
  const policy = { schema: 'sts-policy/1', domain: 'far.example', id: '7', mode: 'enforce', mx: ['mx.far.example'] };
  const stored = {
    'destinations/192.0.2.1%20port%2025.json': backOff,
    'destinations/mta-sts%20far.example.json': { ...policy, fetchedAt: 1, expiresAt: 2 },
    'destinations/%2A.json': { schema: 'port-blocked/1', port: 25, since: at, at, hosts: ['far.example'] },
    'suppressions/far.example.json': refusals,
  };
  for (const [key, record] of Object.entries(stored)) store.seed(key, JSON.stringify(record));
  assert.deepEqual(await readBackedOff({ store, clock }, '192.0.2.1 port 25'), backOff);
  assert.equal((await stsPolicyRecord.read(store, stsPolicyRecord.key('far.example')))?.record.mode, 'enforce');
  assert.equal((await readBlockedPort({ store, clock }))?.port, 25);
  assert.deepEqual((await refusalsRecord.read(store, refusalsRecord.key('far.example')))?.record, refusals);
  const keys = [backOffRecord.key('192.0.2.1 port 25'), stsPolicyRecord.key('far.example'), blockedPortRecord.key()];
  assert.deepEqual([...keys, refusalsRecord.key('far.example')], Object.keys(stored));
});

test('what is no such record is a fault, unless something stands for it', async () => {
  const store = createMemoryStore();
  const key = refusalsRecord.key('far.example');
  assert.equal(await refusalsRecord.read(store, key), null);
  for (const text of ['{"schema":"refusals/2"}', 'not JSON']) {
    store.seed(key, text);
    await assert.rejects(refusalsRecord.read(store, key));
    assert.equal((await refusalsRecord.read(store, key, () => 'unreadable'))?.record, 'unreadable');
  }
});

test('a change is made to the newest record: again if another was faster, and not for ever', async () => {
  const store = createMemoryStore();
  const key = refusalsRecord.key('far.example');
  const count = (found: typeof refusals | null) => ({ ...refusals, refused: (found?.refused ?? 0) + 1 });
  let others = 1;
  const raced = {
    get: store.get,
    put: async (request: Parameters<typeof store.put>[0]) => {
      if (others > 0) {
        others -= 1;
        await refusalsRecord.change(store, key, (found) => count(found as never) as never);
      }
      return store.put(request);
    },
  };
  const after = await refusalsRecord.change(raced, key, (found) => count(found as never) as never);
  assert.equal(after?.refused, 2, 'the other one is counted, too');
  others = 5;
  assert.equal(await refusalsRecord.change(raced, key, (found) => count(found as never) as never), null);
  assert.equal((await refusalsRecord.read(store, key))?.record.refused, 7);
  const idle = { get: store.get, put: () => Promise.reject(new Error('nothing is to be written')) };
  assert.equal((await refusalsRecord.change(idle, key, (found) => found ?? (refusals as never)))?.refused, 7);
});
