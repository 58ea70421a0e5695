// Each mailbox keeps its newest messages, as many as was said, and what is older goes with all that is its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ulid } from 'ulid';
import { startKeepingNewest } from '#local/keep-newest.ts';
import { isMessageId } from '#mail/header/message-id.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import { messageKey, rawKey } from '#pipeline/contract/keys.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';
import { openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';

const start = Date.parse('2026-11-21T12:00:00.000Z');

async function add(world: TestWorld, n: number, localParts: readonly string[]): Promise<void> {
  const id = ulid(start + n);
  assert.ok(isMessageId(id));
  const receivedAt = new Date(start + n).toISOString();
  await world.store.put({ key: rawKey({ id, receivedAt }), body: Buffer.from('x'), contentType: 'message/rfc822' });
  for (const localPart of localParts) {
    const mailbox = { domain: 'a.example', localPart, tag: null };
    const body = Buffer.from(JSON.stringify(sampleMessage({ id, receivedAt, mailbox, subject: `number ${n}` })));
    await world.store.put({ key: messageKey('inbox', { ...mailbox, id, receivedAt }), body, contentType: 'x/y' });
  }
}

const subjects = async ({ admin }: TestWorld, mailbox: string): Promise<readonly (string | null)[]> =>
  (await admin.messages({ mailbox, q: null, limit: 50, after: null })).messages.map(({ subject }) => subject);

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < end, 'it was not so within ten seconds');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const [how, keep, messagesPerMailbox] of [
  ['said at the start', 3, 1],
  ['configured', null, 3],
] as const) {
  test(`the newest three of each mailbox stay, as ${how}, and with the last copy the bytes go`, async (t) => {
    const world = await openTestWorld({ t });
    for (let n = 0; n < 5; n++) await add(world, n, n === 1 ? ['ann', 'eve'] : ['ann']);
    const config = fixedConfigSource(configSchema.parse({ mode: 'capture', retention: { messagesPerMailbox } }));
    const read: string[] = [];
    const get: TestWorld['store']['get'] = (key, ...rest) => {
      read.push(key);
      return world.store.get(key, ...rest);
    };
    const store = { ...world.store, get };
    const stop = startKeepingNewest({ ...world, store, config, keep, log: silentLog() });
    t.after(stop);
    await until(async () => (await world.admin.mailboxes()).mailboxes[0]?.messages === 3);
    assert.deepEqual(await subjects(world, 'ann@a.example'), ['number 4', 'number 3', 'number 2']);
    assert.deepEqual(await subjects(world, 'eve@a.example'), ['number 1'], 'a copy of another mailbox stays');
    assert.equal((await world.store.list({ prefix: 'raw/' })).objects.length, 4);
    await add(world, 9, ['ann']);
    await until(async () => (await subjects(world, 'ann@a.example')).join() === 'number 9,number 4,number 3');
    assert.deepEqual(read, [], 'no message is read to delete it');
  });
}

test('what comes while others are counted is counted the next time', async (t) => {
  const world = await openTestWorld({ t });
  for (let n = 0; n < 3; n++) await add(world, n, ['ann']);
  const late = [3];
  const mailboxes: TestWorld['admin']['mailboxes'] = async () => {
    const counts = await world.admin.mailboxes();
    for (const n of late.splice(0)) await add(world, n, ['ann']);
    return counts;
  };
  const config = fixedConfigSource(configSchema.parse({ mode: 'capture' }));
  const admin = { ...world.admin, mailboxes };
  const stop = startKeepingNewest({ ...world, admin, config, keep: 3, log: silentLog() });
  t.after(stop);
  await until(async () => (await subjects(world, 'ann@a.example')).join() === 'number 3,number 2,number 1');
});
