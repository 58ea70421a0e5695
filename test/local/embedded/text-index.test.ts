// The index of texts is added to in small steps; what many steps leave is merged, and the texts that are kept in memory for it are those
// that are stored.
import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { openDatabase } from '#local/embedded/database.ts';
import { createDatabaseThread, type DatabaseThread } from '#local/embedded/database-thread.ts';
import { startIndexing } from '#local/embedded/index-mail.ts';
import type { Answer, Kind, Request } from '#local/embedded/requests.ts';
import { recentTexts } from '#local/embedded/store/recent-texts.ts';
import { receivedAtOf } from '#mail/header/message-id.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import { sampleId, sampleMessage } from '#test/support/samples/sample-message.ts';

type Thread = { readonly database: DatabaseSync; readonly thread: DatabaseThread };

function openThread(t: TestContext): Thread {
  const database = openDatabase(':memory:');
  t.after(() => database.close());
  return { database, thread: createDatabaseThread(database, () => {}, Date.now()) };
}

function ask<K extends Kind>(
  { thread }: Thread,
  request: Request<K> & Request,
  buffer = new ArrayBuffer(0),
): Answer<K> {
  const [reply] = thread.run({ now: Date.now(), buffer, requests: [{ number: 0, request }] }).replies;
  if (reply === undefined || 'error' in reply) throw new Error(reply?.error ?? 'no reply');
  return reply.value as Answer<K>;
}

function put(open: Thread, n: number, subject: string): void {
  const id = sampleId(n);
  const message = { ...sampleMessage({ id, subject, receivedAt: receivedAtOf(id) }) };
  const body = Buffer.from(JSON.stringify(message));
  const buffer = new ArrayBuffer(body.length);
  new Uint8Array(buffer).set(body);
  const object = {
    key: messageKey('inbox', { ...message.mailbox, id, receivedAt: message.receivedAt }),
    contentType: 'application/json',
    metadata: '{}',
    content: { kind: 'inline', at: 0, bytes: body.length },
    condition: null,
  } as const;
  assert.equal(ask(open, { kind: 'put', object }, buffer).outcome, 'stored');
}

function find(open: Thread, q: string): number {
  return ask(open, { kind: 'messages', mailbox: null, q, limit: 100, after: null }).messages.length;
}

const parts = ({ database }: Thread): number =>
  Number(database.prepare('SELECT count(DISTINCT segid) AS n FROM mail_text_idx').get()?.['n']);
const step = (open: Thread, atLeast: number) => ask(open, { kind: 'indexText', atLeast, limit: 100 });

test('a step indexes what waits, if it is enough; else it merges what earlier steps added, until all is in order', (t) => {
  const open = openThread(t);
  for (let n = 0; n < 40; n++) {
    put(open, n, `order ${n}`);
    assert.deepEqual(step(open, 1), { areLeft: false, isMore: true });
  }
  assert.ok(parts(open) >= 40, `each step adds a part: ${parts(open)}`);
  put(open, 40, 'order 40');
  let steps = 0;
  while (step(open, 100).isMore) steps += 1;
  assert.ok(steps > 0);
  assert.ok(parts(open) < 16, `parts are merged: ${parts(open)}`);
  assert.deepEqual(step(open, 100), { areLeft: true, isMore: false }, 'one message is not enough');
  assert.equal(find(open, 'subject:order'), 41);
  step(open, 1);
  assert.deepEqual(step(open, 1), { areLeft: false, isMore: false });
  assert.equal(find(open, 'subject:"order 40"'), 1);
});

test('mail that comes faster than it is put in order does not leave parts without end', (t) => {
  const open = openThread(t);
  for (let n = 0; n < 260; n++) {
    put(open, n, `order ${n}`);
    step(open, 1);
  }
  assert.ok(parts(open) < 230, `${parts(open)} parts`);
});

test('a message that is stored anew is indexed by what it says now, a write that was taken back leaves nothing', (t) => {
  const open = openThread(t);
  put(open, 1, 'before');
  put(open, 1, 'behind');
  assert.equal(find(open, 'behind'), 1);
  // Fails when all is written: at COMMIT.
  open.database.exec(`PRAGMA foreign_keys = ON;
    CREATE TABLE absent (id INTEGER PRIMARY KEY);
    CREATE TABLE broken (id INTEGER REFERENCES absent (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER break AFTER INSERT ON messages WHEN new.summary LIKE '%gone%' BEGIN INSERT INTO broken VALUES (1); END;`);
  assert.throws(() => put(open, 1, 'gone'), /constraint/);
  assert.deepEqual([find(open, 'gone'), find(open, 'behind')], [0, 1]);
  step(open, 1);
  assert.deepEqual([find(open, 'gone'), find(open, 'behind'), find(open, 'before')], [0, 1, 0]);
});

test('lists, counts, what is kept and searches in the index never read a stored message', (t) => {
  const open = openThread(t);
  for (let n = 0; n < 3; n++) put(open, n, `order ${n}`);
  while (step(open, 1).isMore);
  // Whoever reads a message from here on is told that there is no such table.
  open.database.exec('ALTER TABLE objects RENAME TO kept_elsewhere');
  assert.equal(ask(open, { kind: 'messages', mailbox: null, q: null, limit: 100, after: null }).messages.length, 3);
  const query = { mailbox: 'ann@a.example', limit: 100, after: null } as const;
  for (const q of [
    null,
    'order',
    'subject:order -nowhere',
    'is:unread larger:1 verdict:pass',
    'header:subject -tag:x',
  ]) {
    assert.doesNotThrow(() => ask(open, { kind: 'messages', ...query, q }), `${q}`);
  }
  assert.equal(ask(open, { kind: 'mailboxes' }).messages, 3);
  assert.equal(ask(open, { kind: 'oldest', mailbox: 'ann@a.example', limit: 2 }).length, 2);
  assert.throws(() => find(open, 'or'), /no such table/, 'two characters are looked for by reading');
});

test('texts in memory are bounded: what does not fit is not kept', () => {
  const texts = { from: '', to: '', subject: '', other: 'x'.repeat(3_000_000), header: '' };
  const recent = recentTexts();
  recent.keep(1, texts);
  recent.keep(2, texts);
  assert.deepEqual([recent.find(1) === null, recent.find(2) === null], [false, true]);
  recent.forget(1);
  recent.keep(2, texts);
  assert.notEqual(recent.find(2), null);
});

test('while mail comes the index takes it in once a second, and is put in order when none comes any more', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const asked: string[] = [];
  const ask = async ({ atLeast }: { readonly atLeast: number }) => {
    asked.push(atLeast === 1 ? 'take in' : 'put in order');
    return { areLeft: false, isMore: true };
  };
  const indexing = startIndexing({ ask: ask as never }, () => now);
  t.after(indexing.stop);
  const pass = async (ms: number, doesMailCome: boolean): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      if (doesMailCome) indexing.changed();
      now += 50;
      t.mock.timers.tick(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await pass(4_000, true);
  assert.ok(asked.length >= 3 && asked.length <= 5, `${asked.length} steps in four seconds`);
  assert.ok(asked.every((what) => what === 'take in'));
  await pass(2_000, false);
  assert.equal(asked.at(-1), 'put in order');
});
