// Lists of mail: newest first, page by page, searched; and what the retention takes away.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { ulid } from 'ulid';
import { keepSince } from '#local/retention.ts';
import { isMessageId, type MessageId } from '#mail/header/message-id.ts';
import { watchMail } from '#ops/api/mail-events.ts';
import { deleteEach } from '#ops/messages/delete-messages.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { messageKey, parseMessageKey, rawKey } from '#pipeline/contract/keys.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { marksRecord } from '#pipeline/contract/records/marks.ts';
import { sampleId, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';
import { until } from '#test/support/time/until.ts';
import { openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';

const day = 86_400_000;
const now = Date.parse('2026-11-21T12:00:00.000Z');

/** Ids made in a row never go back in time; those of old mail are made one by one. */
function idOf(atMs: number): MessageId {
  const id = ulid(atMs);
  assert.ok(isMessageId(id));
  return id;
}

async function addMessage(world: TestWorld, atMs: number, changes: Partial<InboxMessage> = {}): Promise<MessageId> {
  const id = idOf(atMs);
  const receivedAt = new Date(atMs).toISOString();
  const message = sampleMessage({ id, receivedAt, ...changes });
  const key = messageKey(message.disposition.action === 'accept' ? 'inbox' : 'quarantine', {
    ...message.mailbox,
    id,
    receivedAt,
  });
  await world.store.put({ key, body: Buffer.from(JSON.stringify(message)), contentType: 'application/json' });
  await world.store.put({ key: rawKey({ id, receivedAt }), body: Buffer.from('x'), contentType: 'message/rfc822' });
  return id;
}

const query = { mailbox: null, q: null, limit: 10, after: null } as const;
const mailbox = (localPart: string, domain = 'receiver.example') => ({ localPart, domain, tag: null });

test('mail is listed newest first and page by page, each message once', async (t) => {
  const world = await openTestWorld({ t });
  const ids: string[] = [];
  for (let n = 0; n < 25; n++) ids.unshift(await addMessage(world, now + n));
  const seen: string[] = [];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof world.admin.messages>> = await world.admin.messages({ ...query, after });
    assert.ok(page.messages.length <= 10);
    seen.push(...page.messages.map(({ id }) => id));
    after = page.next;
  } while (after !== null);
  assert.deepEqual(seen, ids);
});

test('a list can be of one mailbox or one domain, and a quarantined message is in it', async (t) => {
  const world = await openTestWorld({ t });
  const ann = await addMessage(world, now, { mailbox: mailbox('ann') });
  const bob = await addMessage(world, now + 1, {
    mailbox: mailbox('bob'),
    disposition: { action: 'quarantine', reason: 'DMARC failed' },
  });
  const other = await addMessage(world, now + 2, { mailbox: mailbox('ann', 'other.example') });
  const list = async (of: string) =>
    (await world.admin.messages({ ...query, mailbox: of })).messages.map(({ id }) => id);
  assert.deepEqual(await list('ann@receiver.example'), [ann]);
  assert.deepEqual(await list('@receiver.example'), [bob, ann]);
  assert.deepEqual(await list('@other.example'), [other]);
  assert.deepEqual(await list('nobody@receiver.example'), []);
  assert.deepEqual((await world.admin.findMessage(bob)).length, 1);
});

test('a search finds every word wherever it stands, also far behind, and pages on', async (t) => {
  const world = await openTestWorld({ t });
  const wanted = await addMessage(world, now, {
    subject: 'Rechnung für den Käfig',
    text: 'fällig am Freitag',
  });
  for (let n = 0; n < 1_200; n++) await addMessage(world, now + 1 + n, { subject: `newsletter ${n}` });
  const find = async (q: string) => (await world.admin.messages({ ...query, q })).messages.map(({ id }) => id);
  assert.deepEqual(await find('KÄFIG freitag'), [wanted]);
  assert.deepEqual(await find('käfig montag'), []);
  const first = await world.admin.messages({ ...query, q: 'newsletter' });
  assert.equal(first.messages.length, 10);
  const second = await world.admin.messages({ ...query, q: 'newsletter', after: first.next });
  assert.equal(second.messages[0]?.subject, 'newsletter 1189');
});

test('a message stored twice under its key is listed once, and not at all after it was deleted', async (t) => {
  const world = await openTestWorld({ t });
  const id = await addMessage(world, now);
  const [key = ''] = await world.admin.findMessage(id);
  const again = await world.store.put({
    key,
    body: Buffer.from('{}'),
    contentType: 'application/json',
    condition: { ifAbsent: true },
  });
  assert.equal(again.outcome, 'conflict');
  assert.equal((await world.admin.messages(query)).messages.length, 1);
  await world.store.delete(key);
  assert.deepEqual(await world.admin.messages(query), { messages: [], next: null });
});

test('mailboxes count what is stored, marked and deleted, also where one has two copies of a message', async (t) => {
  const world = await openTestWorld({ t });
  const [ann, eve] = [mailbox('ann'), mailbox('eve')];
  const first = await addMessage(world, now, { mailbox: ann });
  await addMessage(world, now + 1, { mailbox: ann });
  const receivedAt = new Date(now).toISOString();
  for (const [folder, to] of [['quarantine', ann] as const, ['inbox', eve] as const]) {
    const body = Buffer.from(JSON.stringify(sampleMessage({ id: first, receivedAt, mailbox: to })));
    await world.store.put({ key: messageKey(folder, { ...to, id: first, receivedAt }), body, contentType: 'x/y' });
  }
  const counts = async () => {
    const { mailboxes, messages, unread, tags } = await world.admin.mailboxes();
    return [...mailboxes.map(({ name, ...of }) => [name[0], of.messages, of.unread]), messages, unread, ...tags];
  };
  assert.deepEqual(await counts(), [['a', 3, 3], ['e', 1, 1], 2, 2]);
  const key = marksRecord.key({ id: first, receivedAt });
  await marksRecord.write(world.store, key, { schema: 'marks/1', id: first, read: true, tags: ['x', 'y'] });
  const tags = ['x', 'y'].map((name) => ({ name, messages: 1 }));
  assert.deepEqual(await counts(), [['a', 3, 1], ['e', 1, 0], 2, 1, ...tags]);
  const copies = await world.admin.findMessage(first);
  assert.deepEqual((await world.admin.summary(copies[0] ?? ''))?.tags, ['x', 'y']);
  for (const copy of copies.slice(0, 2)) await world.store.delete(copy);
  const left =
    parseMessageKey(copies[2] ?? '')?.localPart === 'eve'
      ? [
          ['a', 1, 1],
          ['e', 1, 0],
        ]
      : [['a', 2, 1]];
  assert.deepEqual(await counts(), [...left, 2, 1, ...tags]);
  await world.store.delete(copies[2] ?? '');
  assert.deepEqual(await counts(), [['a', 1, 1], 1, 1]);
  await world.store.put({
    key: copies[2] ?? '',
    body: Buffer.from(JSON.stringify(sampleMessage({ id: first, receivedAt, mailbox: eve }))),
    contentType: 'x/y',
  });
  assert.deepEqual((await counts()).slice(-4), [2, 1, ...tags], 'marks that are stored count again');
  await world.store.delete(key);
  assert.deepEqual((await counts()).slice(-2), [2, 2]);
});

test('those who watch are told of inbox and deliveries, until they stop', async (t) => {
  const world = await openTestWorld({ t });
  const seen: string[] = [];
  const stop = world.admin.watch((key) => seen.push(key));
  const id = await addMessage(world, now);
  const [key = ''] = await world.admin.findMessage(id);
  assert.deepEqual(seen, [key]);
  stop();
  await addMessage(world, now);
  assert.deepEqual(seen, [key]);
});

test('a deleted message takes its files from the disk, and those who watch deletions are told', async (t) => {
  const world = await openTestWorld({ t });
  const told: string[] = [];
  world.admin.watchDeleted((key) => told.push(key));
  const [gone, kept] = [await addMessage(world, now), await addMessage(world, now + 1)];
  for (const id of [gone, kept]) {
    const body = Buffer.alloc(400_000);
    await world.store.put({ key: `attachments/2026/11/21/${id}/1`, body, contentType: 'x/y' });
  }
  const [key = ''] = await world.admin.findMessage(gone);
  const before = readdirSync(join(world.folder, 'bodies'));
  assert.equal(await deleteEach(world, [gone], null), 1);
  await until(() => readdirSync(join(world.folder, 'bodies')).length < before.length, 'the file is gone');
  assert.deepEqual(told, [key]);
  const left = (await world.store.list({ prefix: '' })).objects.map((object) => object.key);
  assert.deepEqual([left.length, left.every((one) => one.includes(kept))], [3, true]);
  const older = await addMessage(world, now - 40 * day);
  const [oldKey = ''] = await world.admin.findMessage(older);
  while ((await world.sweep(keepSince(configSchema.parse({}), now))) > 0);
  assert.deepEqual(told, [key, oldKey], 'the retention tells, too');
});

test('an event names a deleted message once, whatever copies it had, and again if it came back and was deleted again', async (t) => {
  const world = await openTestWorld({ t });
  const events: string[] = [];
  t.after(watchMail({ ...world, log: { warn: () => {} } }, (text) => events.push(text)));
  const id = idOf(now);
  const deletions = (): number =>
    events.join('').split(`event: deleted\ndata: ${JSON.stringify({ ids: [id] })}`).length - 1;
  const received = { id, receivedAt: new Date(now).toISOString() };
  for (const round of [1, 2]) {
    for (const localPart of ['ann', 'bob', 'carl']) {
      const message = sampleMessage({ ...received, mailbox: mailbox(localPart) });
      const key = messageKey('inbox', { ...message.mailbox, ...received });
      await world.store.put({ key, body: Buffer.from(JSON.stringify(message)), contentType: 'application/json' });
    }
    await deleteEach(world, [id], null);
    const last = await addMessage(world, now + round);
    await deleteEach(world, [last], null);
    const isLast = (text: string): boolean => text.includes(`deleted\ndata: ${JSON.stringify({ ids: [last] })}`);
    await until(() => isLast(events.join('')), 'the event of the last one');
    assert.equal(deletions(), round, events.join(''));
  }
});

test('what is deleted leaves the index of texts, though no mail comes', async (t) => {
  const world = await openTestWorld({ t });
  const ids: MessageId[] = [];
  for (let n = 0; n < 40; n++) ids.push(await addMessage(world, now + n, { text: `${n} `.repeat(3_000) }));
  const database = new DatabaseSync(join(world.folder, 'pillarbox.sqlite'), { readOnly: true });
  t.after(() => database.close());
  const size = (): number =>
    Number(database.prepare('SELECT sum(length(block)) AS n FROM mail_text_data').get()?.['n']);
  // It is in order once nobody but this asks for anything.
  for (let [before, asked, left] = [0, 2, 1]; left > 0 || asked - before > 1; ) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    before = asked;
    ({ operations: asked, mailToIndex: left } = await world.statistics());
  }
  const full = size();
  await deleteEach(world, ids.slice(0, 30), null);
  await until(() => size() < full / 2, 'a small index');
});

test('deliveries are listed newest first, or those of one message', async (t) => {
  const world = await openTestWorld({ t });
  const [one, two] = [sampleId(now), sampleId(now + 1)];
  const keys = [
    `deliveries/2026/11/21/${one}/a.example.json`,
    `deliveries/2026/11/21/${one}/b.example.json`,
    `deliveries/2026/11/21/${two}/a.example.json`,
  ];
  for (const key of keys) await world.store.put({ key, body: Buffer.from('{}'), contentType: 'application/json' });
  const all = await world.admin.deliveryKeys({ id: null, limit: 2, after: null });
  assert.deepEqual(all.keys, [keys[2], keys[1]]);
  assert.deepEqual(await world.admin.deliveryKeys({ id: null, limit: 2, after: all.next }), {
    keys: [keys[0]],
    next: null,
  });
  assert.deepEqual((await world.admin.deliveryKeys({ id: one, limit: 9, after: null })).keys, [keys[1], keys[0]]);
  assert.deepEqual((await world.admin.deliveryKeys({ id: 'nonsense', limit: 9, after: null })).keys, []);
});

test('the retention takes what is older than configured, from every folder, and nothing else', async (t) => {
  const world = await openTestWorld({ t });
  const before = keepSince(configSchema.parse({ retention: { rawDays: 10, inboxDays: 20, deliveriesDays: 20 } }), now);
  const old = await addMessage(world, now - 21 * day);
  const middle = await addMessage(world, now - 15 * day);
  const young = await addMessage(world, now - 9 * day);
  await world.store.put({ key: `attachments/2026/10/30/${old}/1`, body: Buffer.alloc(400_000), contentType: 'x/y' });
  await world.store.put({ key: `attachments/2026/11/06/${middle}/1`, body: Buffer.from('x'), contentType: 'x/y' });
  await world.store.put({
    key: `deliveries/2026/10/31/${old}/a.example.json`,
    body: Buffer.from('{}'),
    contentType: 'x/y',
  });
  await world.store.put({ key: 'suppressions/a.example/b.json', body: Buffer.from('{}'), contentType: 'x/y' });
  let steps = 0;
  while ((await world.sweep(before)) > 0) steps += 1;
  assert.ok(steps >= 1);
  assert.deepEqual(
    (await world.admin.messages(query)).messages.map(({ id }) => id),
    [young, middle],
  );
  const left = (await world.store.list({ prefix: '' })).objects.map(({ key }) => key);
  const folders = left.map((key) => key.slice(0, key.indexOf('/'))).sort();
  assert.deepEqual(folders, ['attachments', 'inbox', 'inbox', 'raw', 'suppressions']);
  assert.ok(left.some((key) => key.startsWith('raw/') && key.includes(young)));
});

test('what is known of destinations goes by when it was written', async (t) => {
  const world = await openTestWorld({ t });
  await world.store.put({ key: 'destinations/x.json', body: Buffer.from('{}'), contentType: 'x/y' });
  const { modifiedAt = '' } = (await world.store.head('destinations/x.json')) ?? {};
  assert.equal(await world.sweep({ 'destinations/': modifiedAt }), 0);
  assert.equal(await world.sweep({ 'destinations/': new Date(Date.parse(modifiedAt) + 1).toISOString() }), 1);
});

test('raw mail is kept for as long as it may have to be delivered, whatever the retention says', () => {
  const before = keepSince(configSchema.parse({ retention: { rawDays: 1 } }), now);
  assert.equal(before['raw/'], new Date(now - 6 * day).toISOString());
});

test('messages with a job on a queue are named, also while a worker has it', async (t) => {
  const world = await openTestWorld({ t });
  const [busy, idle] = [sampleReceivedJob(), idOf(now)];
  await world.jobs.send('received', busy);
  assert.deepEqual(await world.admin.underWay([idle, busy.id]), [busy.id]);
  const [job] = await world.receive('received', 1);
  assert.deepEqual(await world.admin.underWay([idle, busy.id]), [busy.id]);
  await job?.done();
  assert.deepEqual(await world.admin.underWay([idle, busy.id]), []);
});
