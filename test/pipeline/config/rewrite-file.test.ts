// A file exchanged whole or not at all: by one at a time, and only if it still is what was read.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { hashReplacement } from '#local/replace-hash.ts';
import { rewriteFile } from '#pipeline/config/rewrite-file.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pillarbox-rewrite-'));
  path = join(folder, 'p.json');
  await writeFile(path, 'old');
});
afterEach(() => rm(folder, { recursive: true }));

test('the new text is there, under permissions no wider than before and no wider than permitted; nothing is left beside it', async () => {
  for (const { before, permitted, mode } of [
    { before: 0o644, permitted: 0o600, mode: 0o600 },
    { before: 0o640, permitted: 0o777, mode: 0o640 },
    { before: 0o400, permitted: 0o600, mode: 0o400 },
  ]) {
    await writeFile(path, 'old', { mode: 0o600 });
    await chmod(path, before);
    assert.deepEqual(await rewriteFile(path, { expected: 'old', text: 'new', permitted }), {
      outcome: 'written',
      before,
      mode,
    });
    assert.equal((await stat(path)).mode & 0o777, mode);
    assert.equal(await readFile(path, 'utf8'), 'new');
    await chmod(path, 0o600);
  }
  assert.deepEqual(await readdir(folder), ['p.json']);
});

test('of many who have read the same text one writes; the others are told, and nothing of theirs is there', async () => {
  const writers = Array.from({ length: 8 }, (_, n) =>
    rewriteFile(path, { expected: 'old', text: `by ${n}`, permitted: 0o600 }),
  );
  const outcomes = (await Promise.all(writers)).map(({ outcome }) => outcome);
  const winner = outcomes.indexOf('written');
  assert.equal(outcomes.filter((outcome) => outcome === 'written').length, 1);
  assert.equal(await readFile(path, 'utf8'), `by ${winner}`);
});

test("what a killed writer left is in nobody's way after half a minute; before, it might be at work", async () => {
  const beside = `${path}.new`;
  await writeFile(beside, 'half');
  const rewrite = () => rewriteFile(path, { expected: 'old', text: 'new', permitted: 0o600 });
  assert.equal((await rewrite()).outcome, 'changed');
  const longAgo = new Date(Date.now() - 31_000);
  await utimes(beside, longAgo, longAgo);
  assert.equal((await rewrite()).outcome, 'written');
});

test('what an editor saves while the new text is written is not overwritten', async () => {
  const rewriting = rewriteFile(path, { expected: 'old', text: 'new'.repeat(10_000_000), permitted: 0o600 });
  const isBegun = () =>
    stat(`${path}.new`).then(
      ({ size }) => size > 0,
      () => false,
    );
  while (!(await isBegun())) await new Promise((resolve) => setImmediate(resolve));
  await writeFile(path, 'saved by an editor');
  assert.equal((await rewriting).outcome, 'changed');
  assert.equal(await readFile(path, 'utf8'), 'saved by an editor');
  assert.deepEqual(await readdir(folder), ['p.json']);
});

test('a link stays a link', async () => {
  const link = join(folder, 'link.json');
  await symlink('p.json', link);
  await rewriteFile(link, { expected: 'old', text: 'new', permitted: 0o600 });
  assert.equal(await readlink(link), 'p.json');
  assert.equal(await readFile(path, 'utf8'), 'new');
});

test('a hash is exchanged wherever it stands, and nothing else is; one that is gone is left', async () => {
  const text =
    '{ "users":[{"name":"a","password":"scrypt:1","mayFrom":["a@b.example"]}, // scrypt:0\n ],\n "hostname": "mx.a.example" }\n';
  await writeFile(path, text);
  await chmod(path, 0o644);
  const log = silentLog();
  const replace = hashReplacement(path, log);
  assert.equal(await replace('scrypt:1', 'scrypt:2'), 'replaced');
  assert.equal(await readFile(path, 'utf8'), text.replace('scrypt:1', 'scrypt:2'));
  assert.equal(await replace('scrypt:1', 'scrypt:3'), 'absent');
  await rm(path);
  await assert.rejects(replace('scrypt:2', 'scrypt:3'));
});
