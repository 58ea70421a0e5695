// The embedded store beyond the contract: one fsync for many, a full disk, large bodies, one process at a time.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { openTestWorld, temporaryFolder } from '#test/support/worlds/embedded-world.ts';

const octets = 'application/octet-stream';

test('five hundred writes at once share few transactions', async (t) => {
  const world = await openTestWorld({ t });
  const before = await world.statistics();
  await Promise.all(
    Array.from({ length: 500 }, (_, n) =>
      world.store.put({ key: `raw/${n}`, body: Buffer.from(`${n}`), contentType: octets }),
    ),
  );
  const after = await world.statistics();
  assert.equal(after.operations - before.operations, 501);
  assert.ok(after.commits - before.commits <= 10, `${after.commits - before.commits} commits`);
});

test('a full disk refuses what does not fit, keeps what is there, and takes mail again once there is space', async (t) => {
  const world = await openTestWorld({ t, maxPages: 40 });
  const stored: string[] = [];
  const refused: unknown[] = [];
  for (let n = 0; n < 40; n++) {
    const job = sampleReceivedJob();
    const writer = world.intake.open({ key: job.raw.key, envelope: {} });
    await writer.write(randomBytes(20_000));
    await writer.commit(job).then(
      () => stored.push(job.raw.key),
      async (error: unknown) => {
        refused.push(error);
        await writer.abort();
      },
    );
  }
  assert.ok(stored.length > 3 && refused.length > 3, `${stored.length} stored, ${refused.length} refused`);
  for (const error of refused) assert.match(String(error), /full/);
  for (const key of stored) assert.equal((await world.store.head(key))?.bytes, 20_000);
  const { objects } = await world.store.list({ prefix: 'raw/' });
  assert.equal(objects.length, stored.length);
  assert.equal((await world.admin.queues()).find(({ name }) => name === 'received')?.ready, stored.length);

  for (const key of stored.slice(0, 3)) await world.store.delete(key);
  const put = await world.store.put({ key: 'raw/after', body: randomBytes(20_000), contentType: octets });
  assert.equal(put.outcome, 'stored');
});

test('in a batch that does not fit as a whole each request has its own fate', async (t) => {
  const world = await openTestWorld({ t, maxPages: 60 });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 40 }, (_, n) =>
      world.store.put({ key: `raw/${n}`, body: randomBytes(n % 2 === 0 ? 100 : 100_000), contentType: octets }),
    ),
  );
  const fulfilled = outcomes.filter(({ status }) => status === 'fulfilled').length;
  assert.ok(fulfilled >= 5 && fulfilled < 40, `${fulfilled} stored`);
  const { objects } = await world.store.list({ prefix: 'raw/' });
  assert.equal(objects.length, fulfilled);
});

test('a message is never accepted over another: the second of one key is refused and leaves no job', async (t) => {
  const world = await openTestWorld({ t });
  const job = sampleReceivedJob();
  for (const bytes of [100, 300_000]) {
    const again = bytes === 100 ? job : sampleReceivedJob();
    const accept = async (letter: string): Promise<void> => {
      const writer = world.intake.open({ key: again.raw.key, envelope: {} });
      await writer.write(Buffer.alloc(bytes, letter));
      await writer.commit(again);
    };
    await accept('a');
    await assert.rejects(accept('b'), /already taken/);
    const stored = await world.store.get(again.raw.key);
    for await (const piece of stored?.body ?? []) assert.ok(piece.every((octet) => octet === 97));
  }
  assert.equal((await world.admin.queues()).find(({ name }) => name === 'received')?.ready, 2);
});

test('overwriting and deleting large objects leaves no files behind', async (t) => {
  const world = await openTestWorld({ t });
  for (const letter of ['a', 'b', 'c']) {
    await world.store.put({ key: 'raw/x', body: Buffer.alloc(400_000, letter), contentType: octets });
  }
  await world.store.put({ key: 'raw/y', body: Buffer.alloc(400_000), contentType: octets });
  await world.store.delete('raw/y');
  const condition = { ifAbsent: true } as const;
  await world.store.put({ key: 'raw/x', body: Buffer.alloc(400_000), contentType: octets, condition });
  await eventually(() => readdirSync(join(world.folder, 'bodies')).length === 1);
});

test('a large object that is being read is read to its end although it was overwritten meanwhile', async (t) => {
  const world = await openTestWorld({ t });
  await world.store.put({ key: 'raw/x', body: Buffer.alloc(2_000_000, 'a'), contentType: octets });
  const reading = await world.store.get('raw/x');
  await world.store.put({ key: 'raw/x', body: Buffer.alloc(2_000_000, 'b'), contentType: octets });
  let read = 0;
  for await (const piece of reading?.body ?? []) {
    assert.ok(piece.every((octet) => octet === 97));
    read += piece.length;
  }
  assert.equal(read, 2_000_000);
});

test('files without a row are swept out at the start', async (t) => {
  const world = await openTestWorld({ t });
  await world.store.put({ key: 'raw/x', body: Buffer.alloc(400_000, 'x'), contentType: octets });
  await world.shut();
  writeFileSync(join(world.folder, 'bodies', 'half.part'), 'half');
  writeFileSync(join(world.folder, 'bodies', 'orphan'), 'orphan');
  const again = await openTestWorld({ t, folder: world.folder });
  await eventually(() => readdirSync(join(world.folder, 'bodies')).length === 1);
  assert.equal((await again.store.head('raw/x'))?.bytes, 400_000);
});

test('a second process is refused the folder, and gets it when the first was killed', async () => {
  const folder = temporaryFolder();
  const script = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  await assert.rejects(openTestWorld({ folder }), /in use by another Pillarbox/);
  child.stdout.resume();
  child.kill('SIGKILL');
  await once(child, 'close');
  const world = await openTestWorld({ folder });
  await assert.rejects(openTestWorld({ folder }), /in use by another Pillarbox/);
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

test('what was closed rejects, it does not hang', async (t) => {
  const world = await openTestWorld({ t });
  await world.close();
  await assert.rejects(world.store.head('raw/x'), /closed/);
});

test('a 100 MB message goes in and out with less than 64 MB of memory', async () => {
  const script = fileURLToPath(new URL('./big-message.ts', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (piece) => {
    text += piece;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  const { grownMiB, bytes } = JSON.parse(text);
  assert.equal(bytes, 100_000_000);
  assert.ok(grownMiB < 64, `${grownMiB} MiB`);
});

async function eventually(condition: () => boolean): Promise<void> {
  const end = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < end, 'in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
