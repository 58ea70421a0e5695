import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MessageId, messageIdFactory } from '#mail/header/message-id.ts';
import { newestKeys, type Tree } from '#ops/aws/newest-first.ts';
import { messageKey, rawKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';

const start = Date.parse('2026-02-27T22:00:00.000Z');
const mailbox = { domain: 'a.example' as never, localPart: 'ann' };

/** A list as S3 gives it, with pages of so many keys; counts what is asked. */
function reader(keys: readonly string[], pageSize: number) {
  const sorted = keys.toSorted();
  const asked = { lists: 0, folders: 0 };
  const list: ObjectStore['list'] = async ({ prefix, after = '' }) => {
    asked.lists += 1;
    const rest = sorted.filter((key) => key.startsWith(prefix) && key > after);
    const objects = rest.slice(0, pageSize).map((key) => ({ key, bytes: 1, etag: '"1"', modifiedAt: '' }));
    return { objects, next: rest.length > pageSize ? (objects.at(-1)?.key ?? null) : null };
  };
  const folders = async (prefix: string): Promise<readonly string[]> => {
    asked.folders += 1;
    const below = sorted.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    const names = below.flatMap((rest) =>
      rest.includes('/') ? [`${prefix}${rest.slice(0, rest.indexOf('/') + 1)}`] : [],
    );
    return [...new Set(names)].sort();
  };
  return { list, folders, asked };
}

/** Ids over four days and a leap month's end, many in a rush of one hour. */
function ids(): readonly MessageId[] {
  const newId = messageIdFactory();
  const times = Array.from({ length: 60 }, (_, n) => start + n * 5_400_000);
  const rush = Array.from({ length: 200 }, (_, n) => start + 40_000_000 + n * 7);
  return [...times, ...rush].sort((a, b) => a - b).map((ms) => newId(ms));
}

async function all(keys: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = [];
  for await (const key of keys) list.push(key);
  return list;
}

const timeOf = (id: MessageId, times: Map<MessageId, string>): string => times.get(id) ?? '';

for (const hours of [false, true]) {
  test(`every key once, newest first, whatever the page size${hours ? ', with a folder for each hour' : ''}`, async () => {
    const made = ids();
    const times = receivedAt(made);
    const keyOf = (id: MessageId): string =>
      hours
        ? rawKey({ id, receivedAt: timeOf(id, times) })
        : messageKey('inbox', { ...mailbox, id, receivedAt: timeOf(id, times) });
    const tree: Tree = hours ? { prefix: 'raw/', upTo: null } : { prefix: 'inbox/a.example/ann/', upTo: null };
    const keys = made.map(keyOf);
    for (const pageSize of [1_000, 30, 1]) {
      assert.deepEqual(await all(newestKeys(reader(keys, pageSize), tree)), keys.toReversed());
    }
    const upTo = made[100]!;
    const older = await all(newestKeys(reader(keys, 30), { ...tree, upTo }));
    const known = made.slice(0, 101).map(keyOf).toReversed();
    assert.deepEqual(older.slice(-101), known);
    assert.ok(older.length <= 101 + 1, 'only those of the same millisecond besides');
  });
}

test('more keys of one millisecond than a page holds are all there', async () => {
  const newId = messageIdFactory();
  const keys = Array.from({ length: 25 }, () =>
    messageKey('inbox', { ...mailbox, id: newId(start), receivedAt: new Date(start).toISOString() }),
  );
  const listed = await all(newestKeys(reader(keys, 4), { prefix: 'inbox/a.example/ann/', upTo: null }));
  assert.deepEqual(listed, keys.toReversed());
});

test('who wants the newest few only asks for the last day', async () => {
  const made = ids();
  const times = receivedAt(made);
  const world = reader(
    made.map((id) => messageKey('inbox', { ...mailbox, id, receivedAt: timeOf(id, times) })),
    1_000,
  );
  for await (const _ of newestKeys(world, { prefix: 'inbox/a.example/ann/', upTo: null })) break;
  assert.deepEqual(world.asked, { lists: 1, folders: 3 });
});

function receivedAt(made: readonly MessageId[]): Map<MessageId, string> {
  return new Map(made.map((id) => [id, new Date(decode(id)).toISOString()]));
}

function decode(id: MessageId): number {
  return [...id.slice(0, 10)].reduce((so, char) => so * 32 + '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(char), 0);
}
