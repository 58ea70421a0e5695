// The embedded store's index finds what reading every message finds, before a message is indexed and after, page after page.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { ulid } from 'ulid';
import { isMessageId, receivedAtOf } from '#mail/header/message-id.ts';
import { summarise } from '#ops/messages/message-summary.ts';
import { matchesSearch, searchOf, searchTexts } from '#ops/messages/search-match.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { marksRecord } from '#pipeline/contract/records/marks.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';
import { openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';

const now = Date.parse('2026-11-21T12:00:00.000Z');
const words = ['Invoice', 'zebra', 'für', 'Käfig', 'a"b', 'it', '你好吗', 'order 7', '100%', "o'clock", 'e'] as const;
/** Longer than what the index has of a header field. */
const long = 'a value that goes on for more than the index of texts knows of it,';

function messageOf(n: number): InboxMessage & { readonly id: string } {
  const word = (at: number): string => words[(n * 7 + at) % words.length] ?? '';
  const localPart = n % 3 === 0 ? 'ann' : 'bob';
  // Not in the order in which they are stored; two share a millisecond.
  const at = now + Math.floor(((n * 17) % 40) / 2);
  const fail = {
    ...sampleMessage().authentication,
    dmarc: { ...sampleMessage().authentication.dmarc, result: 'fail' as const },
  };
  return sampleMessage({
    id: ulid(at),
    receivedAt: new Date(at).toISOString(),
    mailbox: { domain: 'a.example', localPart, tag: null },
    subject: n % 5 === 0 ? null : `${word(0)} ${n}`,
    text: `${word(1)}\n ${word(2)} the ${word(3)}`,
    from: [{ name: word(4), address: `p${n % 4}@b.example`, group: null }],
    headers: [
      { name: 'X-Kind', raw: '', value: word(5) },
      { name: 'X-Long', raw: '', value: `${long} ${word(6)}` },
    ],
    disposition: { action: n % 4 === 0 ? 'quarantine' : 'accept', reason: 'test' },
    raw: { key: 'raw/x', bytes: n * 1_000, sha256: '0'.repeat(64) },
    ...(n % 6 === 0 ? { authentication: fail } : {}),
  });
}

async function put(world: TestWorld, message: InboxMessage): Promise<string> {
  const { id, mailbox, receivedAt, disposition } = message;
  assert.ok(isMessageId(id));
  const key = messageKey(disposition.action === 'accept' ? 'inbox' : 'quarantine', { ...mailbox, id, receivedAt });
  await world.store.put({ key, body: Buffer.from(JSON.stringify(message)), contentType: 'application/json' });
  return key;
}

const searches = [
  ...[
    '',
    'invoice',
    'INV',
    'käfig zebra',
    '"the käfig"',
    'a"b',
    '你好吗',
    '你好',
    'it',
    'e',
    '100%',
    "o'clock",
    'nowhere',
    '-invoice',
  ],
  ...[
    'invoice -zebra',
    '-it',
    '-it invoice',
    'from:p1@',
    'from:zebra',
    'to:ann@',
    'subject:"order 7"',
    '-subject:1',
    'header:x-kind',
  ],
  ...[
    'header:x-kind=zebra',
    '-header:X-Kind=für',
    'header:x-long="a value that goes on"',
    `header:"x-long=${long} zebra"`,
    `-header:"x-long=${long} zebra"`,
    `-header:"x-long=${long} zebra" invoice`,
    'header:x-kind~ebr',
    '-header:x-kind~ebr',
    'header:x-long~zebra',
    'address:p1@',
    '-address:p1@ invoice',
    'is:tagged',
    '-is:tagged',
    'tag:red',
    '-tag:RED',
    'is:read',
    'is:unread invoice',
    'mailbox:bob',
    '-mailbox:ann',
  ],
  ...['is:quarantined', 'verdict:accept zebra', 'verdict:fail', 'larger:5k', 'smaller:5000', 'has:attachment', 'id:01'],
  ...['before:2026-11-21T12:00:00.007Z', 'after:2026-11-21T12:00:00.007Z e', '-zebra -invoice', 'it -e'],
];

async function idsOf(world: TestWorld, q: string, mailbox: string | null): Promise<readonly string[]> {
  const ids: string[] = [];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<TestWorld['admin']['messages']>> = await world.admin.messages({
      mailbox,
      q,
      limit: 4,
      after,
    });
    ids.push(...page.messages.map(({ id }) => id));
    after = page.next;
  } while (after !== null);
  return ids;
}

test('the index, and messages that are not in it yet, give what reading all gives', async (t) => {
  const world = await openTestWorld({ t });
  const stored = Array.from({ length: 40 }, (_, n) => messageOf(n));
  const marks = (n: number) => ({ read: n % 7 === 0, tags: n % 8 === 0 ? ['Red'] : [] });
  const keys: string[] = [];
  const add = async (n: number): Promise<void> => {
    const message = stored[n]!;
    keys[n] = await put(world, message);
    const id = message.id;
    assert.ok(isMessageId(id));
    const key = marksRecord.key({ id, receivedAt: receivedAtOf(id) });
    await marksRecord.write(world.store, key, { schema: 'marks/1', id, ...marks(n) });
  };
  const check = async (count: number, when: string): Promise<void> => {
    for (const q of searches) {
      for (const mailbox of [null, 'ann@a.example', '@a.example']) {
        const wanted = stored.slice(0, count).flatMap((message, n) => {
          const summary = { ...summarise(keys[n] ?? '', message), ...marks(n) };
          const isIn = mailbox === null || summary.mailbox.endsWith(mailbox);
          return isIn && matchesSearch(searchOf(q), summary, searchTexts(message)) ? [message.id] : [];
        });
        const found = await idsOf(world, q, mailbox);
        assert.deepEqual(found.toSorted(), wanted.toSorted(), `${q} in ${mailbox} ${when}`);
        const times = found.map((id) => id.slice(0, 10));
        assert.deepEqual(times, times.toSorted().toReversed(), `${q} newest first ${when}`);
      }
    }
  };
  for (let n = 0; n < 25; n++) await add(n);
  await indexed(world);
  await check(25, 'indexed');
  for (let n = 25; n < 40; n++) await add(n);
  await check(40, 'while some wait');
  await indexed(world);
  await check(40, 'all indexed');
});

test('a word too short for the index is found by reading, or by what the index has that begins so, once each and newest first', async (t) => {
  const world = await openTestWorld({ t });
  const stored = Array.from({ length: 460 }, (_, n) => ({
    ...messageOf(n),
    id: ulid(now + n),
    text: n % 115 === 0 ? 'y ÷÷' : 'x',
    subject: n % 116 === 0 ? '÷' : `${n}`,
  }));
  await Promise.all(stored.map((message) => put(world, message)));
  await indexed(world);
  // As if the oldest were not in the index yet: nothing is written that would have them indexed.
  const database = new DatabaseSync(join(world.folder, 'pillarbox.sqlite'));
  database.exec('UPDATE mails SET is_indexed = 2 WHERE seq IN (SELECT seq FROM mails ORDER BY seq LIMIT 100)');
  database.close();
  for (const q of ['÷÷', '÷', 'subject:÷', '÷÷ -subject:÷', '-÷ subject:1', '-zq from:p1', 'zq', 'y', '-x', 'ann zq']) {
    const wanted = stored.filter((message) =>
      matchesSearch(searchOf(q), summarise('', message) as never, searchTexts(message)),
    );
    assert.deepEqual(await idsOf(world, q, null), wanted.map(({ id }) => id).toReversed(), q);
  }
});

test('a deleted message leaves the index, a new copy is found by its own address', async (t) => {
  const world = await openTestWorld({ t });
  const message = messageOf(1);
  const key = await put(world, message);
  await indexed(world);
  const eve = { domain: 'a.example', localPart: 'eve', tag: null };
  const copy = await put(world, {
    ...message,
    mailbox: eve,
    envelope: { ...message.envelope, forwardPath: 'eve+x@a.example' },
  });
  assert.equal((await idsOf(world, 'to:eve+x', null)).length, 2, 'before it is indexed again');
  await indexed(world);
  assert.equal((await idsOf(world, 'to:eve+x to:ann@', null)).length, 2, 'a message is listed with both copies');
  await world.store.delete(key);
  await world.store.delete(copy);
  assert.deepEqual(await idsOf(world, 'zebra', null), []);
  assert.equal(rowsInIndex(world), 0);
});

/** Resolves once no message waits to be indexed. */
async function indexed(world: TestWorld): Promise<void> {
  while (waitingToBeIndexed(world) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

function ask({ folder }: TestWorld, sql: string): number {
  const database = new DatabaseSync(join(folder, 'pillarbox.sqlite'), { readOnly: true });
  const count = Number(database.prepare(sql).get()?.['n']);
  database.close();
  return count;
}

const waitingToBeIndexed = (world: TestWorld): number =>
  ask(world, 'SELECT count(*) AS n FROM mails WHERE is_indexed <> 1');
const rowsInIndex = (world: TestWorld): number => ask(world, 'SELECT count(*) AS n FROM mail_text');
