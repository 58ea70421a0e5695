// kill -9 at any moment loses nothing that was acknowledged, and nothing is half there.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openTestWorld, temporaryFolder } from '#test/support/worlds/embedded-world.ts';

const writer = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));

test('after each of three kill -9 every acknowledged message is there once, whole, with its job', async (t) => {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const acknowledged = new Map<string, { key: string; bytes: number }>();
  for (const lines of [150, 400, 900]) {
    for (const line of await runAndKill(folder, lines)) {
      const [id = '', key = '', bytes] = line.split(' ');
      acknowledged.set(id, { key, bytes: Number(bytes) });
    }
    const world = await openTestWorld({ t, folder });
    const queued = new Set<string>();
    for (;;) {
      const jobs = await world.receive('received', 1_000);
      if (jobs.length === 0) break;
      for (const job of jobs) {
        assert.ok(!queued.has(job.messageId), 'a job is there once');
        queued.add(job.messageId);
      }
    }
    for (const [id, { key, bytes }] of acknowledged) {
      assert.ok(queued.has(id), `job of ${id}`);
      const object = await world.store.get(key);
      const pieces: Uint8Array[] = [];
      for await (const piece of object?.body ?? []) pieces.push(Uint8Array.from(piece));
      assert.ok(Buffer.concat(pieces).equals(Buffer.alloc(bytes, id)), `body of ${id}`);
    }
    const stored = (await world.store.list({ prefix: 'raw/', limit: 1_000_000 })).objects.length;
    assert.equal(stored, queued.size, 'no message without its job, no job without its message');
    await world.shut();
    assert.deepEqual(
      readdirSync(join(folder, 'bodies')).filter((name) => name.endsWith('.part')),
      [],
    );
  }
});

async function runAndKill(folder: string, lines: number): Promise<readonly string[]> {
  const child: ChildProcess = spawn(process.execPath, [writer, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout?.setEncoding('utf8');
  child.stdout?.on('data', (piece: string) => {
    text += piece;
    if (text.split('\n').length > lines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return text.split('\n').slice(0, -1);
}
