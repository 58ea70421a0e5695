// What recipients of one message have in common is kept once: counted in rows and bytes, gone with the last of them, and
// listed as if each had it all.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { createBodies } from '#functions/parse/assemble-message.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { sampleId } from '#test/support/samples/sample-jobs.ts';
import { sampleId as numberedId, sampleMessage } from '#test/support/samples/sample-message.ts';
import { openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';
import { takeBack } from './old-layouts.ts';

const query = { mailbox: null, q: null, limit: 500, after: null } as const;
const now = Date.parse('2026-11-21T12:00:00.000Z');
const localParts = Array.from({ length: 200 }, (_, n) => `box${n}`);

test('of a message for 200 mailboxes the store keeps the bodies once, and nothing of it after the last copy is swept', async (t) => {
  const world = await openTestWorld({ t });
  const keys = await addMessage(world, 'x'.repeat(200_000));
  assert.deepEqual(rowsOf(world), { objects: 200, shared: 1, messages: 200 });
  for (const key of keys.slice(0, 199)) await world.store.delete(key);
  const [left = ''] = keys.slice(199);
  assert.equal(JSON.parse(await textOf(world, left)).text.length, 200_000);
  assert.deepEqual(rowsOf(world), { objects: 1, shared: 1, messages: 1 });
  const after = new Date(now + 60_000).toISOString();
  while ((await world.sweep({ 'inbox/': after })) > 0);
  assert.deepEqual(rowsOf(world), { objects: 0, shared: 0, messages: 0 });
});

test('a list and a search give the same of copies in two parts as of copies in one', async (t) => {
  const [inParts, whole] = [await openTestWorld({ t }), await openTestWorld({ t })];
  const id = sampleId(now);
  const message = sampleMessage({ id, receivedAt: new Date(now).toISOString(), text: 'fällig am Freitag' });
  const places = localParts.slice(0, 3).map((localPart) => ({
    mailbox: { domain: 'receiver.example', localPart, tag: localPart === 'box1' ? 'tag' : null },
    forwardPath: `all+${localPart}@receiver.example`,
    dsn: { notify: null, orcpt: null },
  }));
  const bodies = bodiesOf(message);
  for (const place of places) {
    const { mailbox, forwardPath } = place;
    const envelope = { reversePath: message.envelope.reversePath, forwardPath };
    const key = messageKey('inbox', { ...mailbox, id, receivedAt: message.receivedAt });
    const contentType = 'application/json';
    await inParts.store.put({ key, ...bodies(place, false), contentType });
    await whole.store.put({ key, body: Buffer.from(JSON.stringify({ ...message, mailbox, envelope })), contentType });
    assert.equal(await textOf(inParts, key), await textOf(whole, key), 'the same JSON, byte for byte');
  }
  // A message is found by the address of any of its copies, and listed with all of them.
  for (const q of [null, 'FÄLLIG', 'all+box1 freitag', 'to:all+box2', 'nowhere']) {
    const list = await inParts.admin.messages({ ...query, q });
    assert.deepEqual(list, await whole.admin.messages({ ...query, q }), `search for ${q}`);
    assert.equal(list.messages.length, q === 'nowhere' ? 0 : 3);
  }
  assert.equal(rowsOf(inParts).shared, 1);
  assert.equal(rowsOf(whole).shared, 0);
});

test('a write that is refused keeps no part of it', async (t) => {
  const world = await openTestWorld({ t });
  const put = (letter: string) =>
    world.store.put({
      key: 'inbox/a/x.json',
      body: Buffer.from('{}'),
      sharedTail: Buffer.alloc(1_000, letter),
      contentType: 'application/json',
      condition: { ifAbsent: true },
    });
  assert.deepEqual([(await put('a')).outcome, (await put('b')).outcome], ['stored', 'conflict']);
  assert.equal(rowsOf(world).shared, 1);
});

test('space that deleted mail leaves goes back to the disk step by step, except what new mail will soon need', async (t) => {
  const world = await openTestWorld({ t });
  const keys = Array.from({ length: 300 }, (_, n) => `raw/${n}`);
  await Promise.all(
    keys.map((key) => world.store.put({ key, body: Buffer.alloc(200_000, key), contentType: 'message/rfc822' })),
  );
  assert.equal(await world.shrink(), false, 'nothing is free yet');
  await Promise.all(keys.map((key) => world.store.delete(key)));
  let steps = 1;
  while (await world.shrink()) steps += 1;
  assert.ok(steps > 5, `${steps} steps`);
  await world.shut();
  const { size } = statSync(join(world.folder, 'pillarbox.sqlite'));
  assert.ok(size > 15_000_000 && size < 20_000_000, `${size} bytes of some 60,000,000`);
});

/** Stores a message for all mailboxes as the parse stage does; answers the keys. */
async function addMessage(world: TestWorld, text: string): Promise<readonly string[]> {
  const id = sampleId(now);
  const message = sampleMessage({ id, receivedAt: new Date(now).toISOString(), text });
  const bodies = bodiesOf(message);
  const keys = localParts.map((localPart) => {
    const mailbox = { domain: 'receiver.example', localPart, tag: null };
    const key = messageKey('inbox', { ...mailbox, id, receivedAt: message.receivedAt });
    return { key, recipient: { mailbox, forwardPath: 'all@receiver.example', dsn: { notify: null, orcpt: null } } };
  });
  await Promise.all(
    keys.map(({ key, recipient }) =>
      world.store.put({ key, ...bodies(recipient, false), contentType: 'application/json' }),
    ),
  );
  return keys.map(({ key }) => key);
}

/** The bodies of a message that is given as it is. */
function bodiesOf(message: InboxMessage): ReturnType<typeof createBodies> {
  const { text, html, session, envelope } = message;
  const inline = (body: typeof text) => (typeof body === 'string' ? { inline: body } : null);
  const content = { head: message, text: inline(text), html: inline(html), kept: [], problems: message.problems };
  const job = { ...message, envelope: { ...envelope, session } } as unknown as ParseJob;
  return createBodies(job, content as any);
}

async function textOf(world: TestWorld, key: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of (await world.store.get(key))?.body ?? []) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** How many rows of each kind there are, by a look past the store. */
function rowsOf({ folder }: TestWorld) {
  const database = new DatabaseSync(join(folder, 'pillarbox.sqlite'), { readOnly: true });
  const count = (table: string): number => Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
  const rows = { objects: count('objects'), shared: count('shared_parts'), messages: count('messages') };
  database.close();
  return rows;
}

test('a database of the first layout is brought up to date, and its mail is as it was', async (t) => {
  const world = await openTestWorld({ t });
  await world.store.put({ key: 'raw/x', body: Buffer.alloc(300_000, 'x'), contentType: 'message/rfc822' });
  for (const [n, subject] of ['The first', 'Hello'].entries()) {
    const message = sampleMessage({ id: numberedId(n), subject });
    const key = messageKey('inbox', { ...message.mailbox, id: numberedId(n), receivedAt: message.receivedAt });
    await world.store.put({ key, body: Buffer.from(JSON.stringify(message)), contentType: 'application/json' });
  }
  await world.shut();
  takeBack(join(world.folder, 'pillarbox.sqlite'), 1);
  const again = await openTestWorld({ t, folder: world.folder });
  assert.equal((await textOf(again, 'raw/x')).length, 300_000);
  const list = await again.admin.messages({ mailbox: null, q: null, limit: 10, after: null });
  assert.deepEqual(
    list.messages.map(({ subject, read }) => [subject, read]),
    [
      ['Hello', false],
      ['The first', false],
    ],
  );
  const counts = { messages: 2, unread: 2 };
  assert.deepEqual(await again.admin.mailboxes(), {
    mailboxes: [{ name: 'ann@a.example', ...counts }],
    ...counts,
    tags: [],
  });
  await addMessage(again, 'x');
  assert.deepEqual(rowsOf(again), { objects: 203, shared: 1, messages: 202 });
});
