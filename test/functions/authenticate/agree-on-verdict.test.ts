// Two runs of one job that the DNS does not answer alike: both act on the verdict that was stored first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdictRecord } from '#pipeline/contract/records/verdict.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { type Given, mailboxRecipient, noDsn, runStage } from './run-stage.ts';

const forged = {
  'sender.example': { TXT: ['v=spf1 -all'] },
  '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] },
};
const mute = { 'sender.example': { TXT: 'SERVFAIL' }, '_dmarc.sender.example': { TXT: 'SERVFAIL' } } as const;
const honest = {
  'sender.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
  '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] },
};
const alias = {
  forwardPath: 'out@ours.example',
  dsn: noDsn,
  route: { kind: 'forward' as const, to: ['ann@far.example'] },
};
const patient: Given = {
  config: { dns: { temperrorRetrySeconds: [] } },
  job: { recipients: [mailboxRecipient('bob'), alias] },
};

async function run(store: ReturnType<typeof createMemoryStore>, given: Given) {
  const { jobs, log } = await runStage({ ...patient, ...given, store });
  const actions = jobs.of('parse').map(({ disposition }) => disposition.action);
  return { actions, forwards: jobs.of('deliver').length, events: log.entries.map(({ event }) => event) };
}

for (const [first, second, action, done, forwards] of [
  [forged, mute, 'quarantine', 'quarantined', 0],
  [mute, forged, 'accept', 'accepted', 1],
] as const) {
  test(`a message that is ${done} by the first run is by the second, whatever the DNS answers it`, async () => {
    const store = createMemoryStore();
    for (const zone of [first, second]) {
      const found = await run(store, { zone });
      assert.deepEqual([...new Set(found.actions)], [action]);
      assert.equal(found.forwards, forwards);
      assert.equal(found.events.includes('judged-before'), zone === second);
    }
  });
}

test('a pass, which is not stored, gives way to what an earlier run stored', async () => {
  const store = createMemoryStore();
  await run(store, { zone: forged });
  const found = await run(store, { zone: honest, receiveCount: 2 });
  assert.deepEqual([...new Set(found.actions)], ['quarantine']);
});

test('mail that passes costs nothing, and one look-up if its job was handed out before', async () => {
  const store = createMemoryStore();
  const asked: string[] = [];
  const watched = {
    ...store,
    get: (key: string) => {
      asked.push(key);
      return store.get(key);
    },
  };
  await run(watched, { zone: honest });
  assert.deepEqual(
    asked.filter((key) => key.startsWith('verdicts/')),
    [],
  );
  await run(watched, { zone: honest, receiveCount: 2 });
  assert.equal(asked.filter((key) => key.startsWith('verdicts/')).length, 1);
  assert.deepEqual(store.keys('verdicts/'), []);
});

test('the verdict is stored before anything is handed on', async () => {
  const store = createMemoryStore();
  const fails = { ...store, put: () => Promise.reject(new Error('the store is down')) };
  await assert.rejects(run(fails, { zone: forged }), /the store is down/);
  const { job, jobs } = await runStage({ ...patient, zone: forged, store });
  assert.equal((await verdictRecord.find(store, verdictRecord.key(job)))?.authentication.dmarc.result, 'fail');
  assert.ok(jobs.of('parse').length > 0);
});
