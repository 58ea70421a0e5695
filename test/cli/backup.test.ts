// `pillarbox backup` of a running service and `pillarbox restore`, as people run them.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, drained, type LocalService, startLocalService } from '#test/support/worlds/local-service.ts';
import { runPillarbox } from '#test/support/worlds/run-pillarbox.ts';

test('what a running service had is there again after backup and restore, JSON and bytes, and the service goes on from it', async (t) => {
  const folder = folderOf(t);
  const service = await startLocalService(t, { folder });
  await send(service, 12);
  await drained(service);
  const before = await contents(service);
  const meanwhile = send(service, 20); // goes on while the backup is taken
  const target = join(folder, 'saved');
  const data = ['--data', join(folder, 'data'), '--config', join(folder, 'pillarbox.json')];
  const saved = await runPillarbox(['backup', target, ...data]);
  assert.equal(saved.code, 0, saved.err);
  assert.match(saved.out, /^Backed up and checked: \d+ files, \d+ bytes, as of \S+, in \S+\.$/m);
  assert.equal(saved.err, '', 'nothing else is said');
  const twice = await runPillarbox(['backup', target, ...data, '--json']);
  assert.deepEqual([twice.code, JSON.parse(twice.err).error.code], [1, 'failed']);
  const running = await runPillarbox(['restore', target, '--data', join(folder, 'data'), '--replace']);
  assert.match(running.err, /in use by a running Pillarbox: stop it first/);
  await meanwhile;
  assert.equal(await service.stop(), 0);

  const other = folderOf(t);
  const restored = await runPillarbox(['restore', target, '--data', join(other, 'data'), '--json']);
  assert.equal(restored.code, 0, restored.err);
  assert.equal(JSON.parse(restored.out).held, 0);
  assert.ok(existsSync(join(target, 'config', 'pillarbox.json')));
  const again = await startLocalService(t, { folder: other });
  const after = await contents(again);
  for (const [id, content] of before) assert.equal(after.get(id), content, id);
  await send(again, 1);
  await drained(again);
  const queues: any[] = await again.json('/api/queues');
  assert.ok(queues.every(({ dead }) => dead === 0));
  assert.ok(!readdirSync(join(folder, 'data')).some((name) => name.startsWith('backup-')));
  assert.equal(await again.stop(), 0);
});

/** Every message by its id: its JSON and its bytes, as the API gives them. */
async function contents({ http, json }: LocalService): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const { id } of await allMessages({ json })) {
    const get = async (path: string) => (await fetch(`${http}/api/messages/${id}${path}`)).text();
    found.set(id, `${await get('')}${await get('/raw')}`);
  }
  return found;
}

async function send(service: LocalService, count: number): Promise<void> {
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  for (let n = 0; n < count; n++) {
    const line = `${String(n).padStart(70, 'x')}\r\n`;
    const content = Buffer.from(`Subject: ${n}\r\n\r\n${line.repeat(n % 2 === 0 ? 10 : 5_000)}`);
    assert.match(await sendRaw(smtp, { to: ['bob@receiver.example'], content }), /^250/);
  }
  smtp.close();
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
