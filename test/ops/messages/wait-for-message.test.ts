// Waiting for a message: what is there is answered at once, what comes the moment it comes, and nothing is asked meanwhile.
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { after, beforeEach, describe, test } from 'node:test';
import { startOpsApi } from '#local/http/start-ops-api.ts';
import { receivedAtOf } from '#mail/header/message-id.ts';
import type { OpsAdmin } from '#ops/admin.ts';
import { createOpsApp, type OpsApp } from '#ops/api/ops-app.ts';
import { createMessageWaiters } from '#ops/messages/message-waiters.ts';
import { waitForMessage } from '#ops/messages/wait-for-message.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { marksRecord } from '#pipeline/contract/records/marks.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { type SampleWorld, sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { openTestWorld } from '#test/support/worlds/embedded-world.ts';
import { opsDeps } from '#test/support/worlds/ops-deps.ts';

let world: SampleWorld;
let app: OpsApp;
let searches: number;
let watchers: number;

/** The world's admin, with what is asked of it counted. */
function counted(admin: OpsAdmin): OpsAdmin {
  return {
    ...admin,
    messages: (query) => {
      searches += 1;
      return admin.messages(query);
    },
    watch: (listener) => {
      watchers += 1;
      const stop = admin.watch(listener);
      return () => {
        watchers -= 1;
        stop();
      };
    },
  };
}

beforeEach(() => {
  [searches, watchers] = [0, 0];
  world = sampleWorld();
  const admin = counted(world.admin);
  const deps = { store: world.store, waiters: createMessageWaiters({ admin, log: silentLog() }) };
  app = createOpsApp(deps, [{ at: 'GET /wait', does: waitForMessage }]);
});

async function wait(query: string, gone = new AbortController().signal): Promise<{ status: number; body: any }> {
  const { status, body } = await app({ method: 'GET', url: `/wait?${query}`, gone });
  return { status, body: JSON.parse(typeof body === 'string' ? body : (await readBody(body)).toString()) };
}

const signUp = (n: number, changes = {}) =>
  sampleMessage({
    id: sampleId(n),
    subject: `Welcome ${n}`,
    mailbox: { domain: 'a.example', localPart: 'ann', tag: 'shop' },
    envelope: { reversePath: 'bob@b.example', forwardPath: 'ann+shop@a.example' },
    ...changes,
  });

test('a message that is there is answered at once, the newest that fits', async () => {
  world.addMessage(signUp(1));
  world.addMessage(signUp(2));
  world.addMessage(sampleMessage({ id: sampleId(3), subject: 'Other' }));
  const { status, body } = await wait('subject=welcome&timeout=0');
  assert.deepEqual([status, body.id, body.subject], [200, sampleId(2), 'Welcome 2']);
});

test('a message that comes is answered the moment it comes, and is not searched for again', async () => {
  const waiting = wait('to=ann%2Bshop@a.example&timeout=55');
  await new Promise(setImmediate);
  world.addMessage(sampleMessage({ id: sampleId(1), subject: 'Without the tag' }));
  world.addMessage(signUp(2));
  const { status, body } = await waiting;
  assert.deepEqual([status, body.id], [200, sampleId(2)]);
  assert.deepEqual([searches, watchers], [2, 0]); // in To, and by the mailbox
});

for (const [query, isFound] of [
  ['to=ann%2Bshop@a.example', true],
  ['to=ANN@A', true],
  ['to=eve', false],
  ['from=bob@b.example', true],
  ['from=carl', false],
  ['subject=come%202', true],
  ['q=good%20morning', true],
  ['q=good%20evening', false],
  ['after=2025-11-21T03:00:00Z', true],
  ['after=2025-11-21T04:00:01%2B01:00', false],
] as const) {
  test(`${query} ${isFound ? 'fits' : 'does not fit'} it, whether it is there or comes`, async () => {
    const coming = wait(`${query}&timeout=${isFound ? 20 : 0.05}`);
    await new Promise(setImmediate);
    world.addMessage(signUp(2));
    assert.equal((await coming).status, isFound ? 200 : 408);
    assert.equal((await wait(`${query}&timeout=0`)).status, isFound ? 200 : 408);
  });
}

test('a message that leaves its quarantine fits what it did not fit while it was there', async (t) => {
  const { admin, store } = await openTestWorld({ t });
  const waiters = createMessageWaiters({ admin, log: silentLog() });
  const put = async (message: InboxMessage): Promise<string> => {
    const { mailbox, receivedAt, disposition } = message;
    const folder = disposition.action === 'accept' ? 'inbox' : 'quarantine';
    const key = messageKey(folder, { ...mailbox, id: sampleId(1), receivedAt });
    await store.put({ key, body: Buffer.from(JSON.stringify(message)), contentType: 'application/json' });
    return key;
  };
  const withheld = await put(signUp(1, { disposition: { action: 'quarantine', reason: 'p=reject' } }));
  const wanted = { to: null, from: null, subject: null, q: 'verdict:accept', after: null };
  const waiting = waiters.wait(wanted, { timeoutMs: 20_000, gone: new AbortController().signal });
  const released = await put(signUp(1)); // as stage parse does it: first there, then gone here
  await admin.messages({ mailbox: null, q: 'verdict:accept', limit: 1, after: null });
  await store.delete(withheld);
  const waited = await waiting;
  assert.equal(waited.outcome === 'found' ? waited.summary.key : waited.outcome, released);
});

test('a message that gets a tag fits a search for it; no other wait looks at it again', async () => {
  world.addMessage(signUp(1));
  const tagged = wait('q=tag:done&timeout=55');
  const other = wait('subject=other&timeout=0.05');
  await new Promise(setImmediate);
  const id = sampleId(1);
  await marksRecord.write(world.store, marksRecord.key({ id, receivedAt: receivedAtOf(id) }), {
    schema: 'marks/1',
    id,
    read: false,
    tags: ['Done'],
  });
  assert.equal((await tagged).body.id, id);
  assert.deepEqual((await other).body.arrived, []);
});

test('408 after the timeout names what came instead, each message once', async () => {
  world.addMessage(signUp(1));
  const waiting = wait('subject=invoice&timeout=0.05');
  await new Promise(setImmediate);
  world.addMessage(signUp(2));
  world.addMessage(signUp(2, { mailbox: { domain: 'a.example', localPart: 'eve', tag: null } }));
  world.addMessage(signUp(3));
  const { status, body } = await waiting;
  assert.deepEqual([status, body.error.code], [408, 'timeout']);
  assert.deepEqual(
    body.arrived.map(({ subject, mailboxes }: any) => [subject, mailboxes]),
    [
      ['Welcome 3', ['ann@a.example']],
      ['Welcome 2', ['ann@a.example', 'eve@a.example']],
    ],
  );
  assert.equal(watchers, 0);
});

test('two hundred may wait; one more is told to come later, until one of them leaves', async () => {
  const leaving = new AbortController();
  const waiting = Array.from({ length: 200 }, () => wait('subject=none&timeout=55', leaving.signal));
  assert.deepEqual([(await wait('')).status, watchers], [503, 1]);
  leaving.abort();
  for (const one of waiting) await assert.rejects(one, { name: 'AbortError' });
  assert.equal(watchers, 0);
  assert.equal((await wait('timeout=0')).status, 408);
});

test('what is there is found behind any number of others, by a search', async () => {
  world.addMessage(signUp(1, { subject: 'Rare' }));
  for (let n = 2; n < 2_010; n += 1) world.addMessage(sampleMessage({ id: sampleId(n), subject: 'Common' }));
  for (const query of ['subject=rare', 'to=ann%2Bshop@a.example', 'to=nn@a.ex&from=bob&subject=rare']) {
    assert.equal((await wait(`${query}&timeout=0`)).status, 200, query);
  }
});

test('a timeout, a time or a search that is none is refused', async () => {
  for (const query of ['timeout=61', 'timeout=-1', 'timeout=x', 'after=yesterday', 'q=colour:red']) {
    assert.equal((await wait(query)).status, 400, query);
  }
});

describe('over HTTP', () => {
  test('a client that goes away frees its place', async () => {
    const stopped = Promise.withResolvers<void>();
    const watching = Promise.withResolvers<void>();
    const admin: OpsAdmin = {
      ...world.admin,
      watch: () => {
        watching.resolve();
        return stopped.resolve;
      },
    };
    const log = silentLog();
    const api = await startOpsApi(opsDeps(world, { admin, log }));
    after(api.close);
    const request = get({ ...api.address, path: '/api/messages/wait?subject=none', agent: false });
    request.on('error', () => {});
    await watching.promise;
    request.destroy();
    await stopped.promise;
    assert.deepEqual(log.entries, []);
  });
});
