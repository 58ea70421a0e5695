// What is made once for each content is kept, and what was made of older content goes, unless somebody may still read it.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { keptFolder } from '#local/console/kept-folder.ts';

const now = Date.parse('2026-11-27T08:00:00.000Z');
const minute = 60_000;
let parent = '';
before(async () => {
  parent = await mkdtemp(join(tmpdir(), 'pillarbox-kept-'));
});
after(() => rm(parent, { recursive: true }));

let made = 0;
const make = async (folder: string): Promise<void> => {
  made += 1;
  await writeFile(join(folder, 'made'), String(made));
};
const ask = (name: string, nowMs: number) => keptFolder({ parent, name, make, nowMs });

test('a folder is made once, and stays while it is asked for; others go when a new one is made an hour after their last use', async () => {
  const first = await ask('a', now);
  assert.equal(await ask('a', now + minute), first);
  assert.equal(made, 1);
  await ask('b', now + 30 * minute);
  await ask('c', now + 62 * minute);
  assert.deepEqual((await readdir(parent)).sort(), ['b', 'c'], 'a was asked for an hour ago');
  await ask('b', now + 80 * minute);
  await ask('d', now + 130 * minute);
  assert.deepEqual((await readdir(parent)).sort(), ['b', 'd'], 'b was asked for again');
});

test('two that make it at once get the same folder, whole, and leave nothing behind', async () => {
  const both = await Promise.all([ask('e', now + 140 * minute), ask('e', now + 140 * minute)]);
  assert.equal(both[0], both[1]);
  assert.match(await readFile(join(both[0], 'made'), 'utf8'), /^\d+$/);
  assert.deepEqual(
    (await readdir(parent)).filter((name) => name.startsWith('e')),
    ['e'],
  );
});
