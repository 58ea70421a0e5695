// A large body whose file is gone, cut short, altered or not readable: told at once and as what it is, never as other bytes.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isDamagedBody } from '#pipeline/contract/stored-body.ts';
import { openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const octets = 'application/octet-stream';
const bytes = 400_000;

const damages: readonly {
  readonly title: string;
  readonly damage: 'missing' | 'altered' | 'unreadable';
  readonly says: RegExp;
  readonly spoil: (path: string) => void;
}[] = [
  { title: 'gone', damage: 'missing', says: /is gone: there is no file bodies\//, spoil: (path) => rmSync(path) },
  {
    title: 'shorter than it was',
    damage: 'altered',
    says: /has 399999 bytes instead of 400000/,
    spoil: (path) => truncateSync(path, bytes - 1),
  },
  {
    title: 'empty',
    damage: 'altered',
    says: /has 0 bytes instead of 400000/,
    spoil: (path) => truncateSync(path, 0),
  },
  {
    title: 'longer than it was',
    damage: 'altered',
    says: /has 400001 bytes instead of 400000/,
    spoil: (path) => appendFileSync(path, 'x'),
  },
  {
    title: 'a folder',
    damage: 'altered',
    says: /is no file/,
    spoil: (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  },
  {
    title: 'of the right length with one octet changed',
    damage: 'altered',
    says: /has another SHA-256/,
    spoil: (path) => {
      const content = readFileSync(path);
      content.writeUInt8(content.readUInt8(200_000) ^ 1, 200_000);
      writeFileSync(path, content);
    },
  },
];

for (const { title, damage, says, spoil } of damages) {
  test(`a body whose file is ${title} is told as that fault, with its key, within a moment`, {
    timeout: 10_000,
  }, async (t) => {
    const world = await withBody(t);
    spoil(pathOf(world));
    const cpu = process.cpuUsage();
    let given = 0;
    await assert.rejects(
      async () => {
        const stored = await world.store.get('raw/x');
        for await (const piece of stored?.body ?? []) given += piece.length;
      },
      (thrown: unknown) => {
        assert.ok(isDamagedBody(thrown), String(thrown));
        assert.deepEqual([thrown.key, thrown.damage], ['raw/x', damage]);
        assert.match(thrown.message, says);
        return true;
      },
    );
    assert.ok(given < bytes, 'nobody got to the end of it');
    const { user, system } = process.cpuUsage(cpu);
    assert.ok(user + system < 2_000_000, `${user + system} µs of CPU`);
  });
}

test('a file that may not be read is told as unreadable', {
  skip: process.getuid?.() === 0 && 'root may read all',
}, async (t) => {
  const world = await withBody(t);
  chmodSync(pathOf(world), 0);
  await assert.rejects(world.store.get('raw/x'), /cannot be read: bodies\/\S+: EACCES/);
});

test('a body that is cut short while it is read ends in that fault, not as a shorter message', async (t) => {
  const world = await withBody(t);
  const stored = await world.store.get('raw/x');
  await assert.rejects(async () => {
    for await (const _ of stored?.body ?? []) truncateSync(pathOf(world), 100_000);
  }, /ends after \d+ of 400000 bytes/);
});

test('a range of a damaged body is refused as well, and one of a sound body reads as it was', async (t) => {
  const world = await withBody(t);
  const range = { first: 10, last: 19 };
  const pieces: Uint8Array[] = [];
  for await (const piece of (await world.store.get('raw/x', range))?.body ?? []) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), 'xxxxxxxxxx');
  truncateSync(pathOf(world), 20);
  await assert.rejects(world.store.get('raw/x', range), /has 20 bytes instead of 400000/);
});

test('at the start what is missing or damaged is named, and then nothing without a row is removed either', async (t) => {
  const world = await openTestWorld({ t });
  for (const name of ['gone', 'short', 'whole']) {
    await world.store.put({ key: `raw/${name}`, body: Buffer.alloc(bytes, name), contentType: octets });
  }
  const files = await filesByKey(world, ['raw/gone', 'raw/short']);
  await world.shut();
  const bodies = join(world.folder, 'bodies');
  rmSync(join(bodies, files['raw/gone'] ?? ''));
  truncateSync(join(bodies, files['raw/short'] ?? ''), 7);
  writeFileSync(join(bodies, 'orphan'), 'perhaps the very one that is looked for');
  writeFileSync(join(bodies, 'half.part'), 'half');
  const again = await openTestWorld({ t, folder: world.folder });
  assert.deepEqual(
    again.bodies.damaged.map(({ key, damage }) => ({ key, damage })),
    [
      { key: 'raw/gone', damage: 'missing' },
      { key: 'raw/short', damage: 'altered' },
    ],
  );
  assert.deepEqual([again.bodies.files, again.bodies.orphans], [3, 1]);
  await eventually('only what was never finished goes', () => !readdirSync(bodies).includes('half.part'));
  assert.ok(readdirSync(bodies).includes('orphan'));
});

async function withBody(t: TestContext): Promise<TestWorld> {
  const world = await openTestWorld({ t });
  await world.store.put({ key: 'raw/x', body: Buffer.alloc(bytes, 'x'), contentType: octets });
  return world;
}

function pathOf(world: TestWorld): string {
  const [name = ''] = readdirSync(join(world.folder, 'bodies'));
  return join(world.folder, 'bodies', name);
}

/** Which file holds which body: read off the files, as each holds its own name. */
async function filesByKey(world: TestWorld, keys: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const folder = join(world.folder, 'bodies');
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder)) {
    const start = readFileSync(join(folder, name), 'latin1').slice(0, 5);
    for (const key of keys) if (start.startsWith(key.slice(4, 8))) found[key] = name;
  }
  return found;
}
