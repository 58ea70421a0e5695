// A backup of a folder at work is one moment of it, byte for byte; a restore is whole or not used.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { restoreBackup } from '#local/backup/restore-backup.ts';
import { takeBackup } from '#local/backup/take-backup.ts';
import type { BackupRequest, RestoreRequest } from '#ops/data-backup.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { openTestWorld, type TestWorld, temporaryFolder } from '#test/support/worlds/embedded-world.ts';

const octets = 'application/octet-stream';

test('a backup taken while 400 large mails come in and old ones are deleted has every mail of its moment, byte for byte', async (t) => {
  const world = await openTestWorld({ t });
  const stored = new Map<string, string>();
  const deleted = new Set<string>();
  const accept = async (): Promise<void> => {
    const content = randomBytes(270_000);
    const job = sampleReceivedJob({ content });
    const writer = world.intake.open({ key: job.raw.key, envelope: {} });
    await writer.write(content);
    await writer.commit(job);
    stored.set(job.raw.key, job.raw.sha256);
  };
  for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 5 }, accept));
  const before = [...stored.keys()];
  let isOver = false;
  const load = [
    ...Array.from({ length: 4 }, async () => {
      for (let n = 0; n < 75; n++) await accept();
    }),
    (async () => {
      // Every second one of those there were goes, as it would by retention, and a few of the new.
      for (const key of before.filter((_, n) => n % 2 === 0)) {
        deleted.add(key);
        await world.store.delete(key);
      }
      while (!isOver) {
        const key = [...stored.keys()].findLast((candidate) => !deleted.has(candidate)) ?? '';
        deleted.add(key);
        await world.store.delete(key);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })(),
  ];
  const request = requestOf(t, world.folder);
  const report = await takeBackup(request);
  isOver = true;
  await Promise.all(load);
  assert.deepEqual(report.leftOut, []);
  assert.deepEqual(
    readdirSync(world.folder).filter((name) => name.startsWith('backup-')),
    [],
  );

  const restored = await openTestWorld({ t, folder: await restoreTo(t, request.folder) });
  assert.deepEqual(restored.bodies.damaged, []);
  const { objects } = await restored.store.list({ prefix: 'raw/', limit: 10_000 });
  for (const { key } of objects) assert.equal(await hashOf(restored, key), stored.get(key), key);
  const keys = new Set(objects.map(({ key }) => key));
  for (const key of before) assert.ok(keys.has(key) || deleted.has(key), `${key} was there before`);
  const queued = (await restored.admin.queues()).find(({ name }) => name === 'received')?.ready ?? 0;
  assert.ok(queued >= keys.size, 'no mail of the moment is without its job');
});

test('all of a backup is for its owner alone, summed for sha256sum, with secrets, certificate and configuration', async (t) => {
  const world = await worldWithMail(t);
  mkdirSync(join(world.folder, 'secrets'));
  writeFileSync(join(world.folder, 'secrets', 'srs'), 'abc');
  writeFileSync(join(world.folder, 'self-signed.pem'), 'pem');
  const home = folderOf(t);
  mkdirSync(join(home, 'dkim'));
  writeFileSync(join(home, 'dkim', 'a.pem'), 'key');
  const references = ['file:dkim/a.pem', 'file:/etc/elsewhere.pem', 'env:PASSWORD', 'secret:srs'];
  writeFileSync(join(home, 'pillarbox.json'), JSON.stringify({ any: references }));
  const request = { ...requestOf(t, world.folder), configPath: join(home, 'pillarbox.json') };
  const report = await takeBackup(request);
  const files = readdirSync(request.folder, { recursive: true, encoding: 'utf8' }).sort();
  const names = files.filter((name) => !name.includes('bodies/'));
  const expected = 'SHA256SUMS backup.json config config/dkim config/dkim/a.pem config/pillarbox.json data data/bodies';
  const rest = 'data/pillarbox.sqlite data/secrets data/secrets/srs data/self-signed.pem';
  assert.deepEqual(names, [...expected.split(' '), ...rest.split(' ')]);
  for (const name of files) {
    const stat = statSync(join(request.folder, name));
    assert.equal((stat.mode & 0o777).toString(8), stat.isDirectory() ? '700' : '600', name);
  }
  assert.deepEqual(report.notIncluded, ['file:/etc/elsewhere.pem', 'env:PASSWORD']);
  const checked = execFileSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: request.folder, encoding: 'utf8' });
  assert.equal(checked.match(/: OK$/gm)?.length, report.files);
});

test('a folder that is not empty, or is in the data folder, is refused and left as it is', async (t) => {
  const world = await worldWithMail(t);
  const request = requestOf(t, world.folder);
  mkdirSync(request.folder, { recursive: true });
  writeFileSync(join(request.folder, 'mine'), 'x');
  await assert.rejects(takeBackup(request), /is not empty/);
  assert.deepEqual(readdirSync(request.folder), ['mine']);
  await assert.rejects(takeBackup({ ...request, folder: join(world.folder, 'backup') }), /is in the data folder/);
  await assert.rejects(takeBackup({ ...requestOf(t, folderOf(t)) }), /there is no mail in/);
});

test('a body that is lost is named and left out, the rest is saved and restored', async (t) => {
  const world = await worldWithMail(t);
  const bodies = join(world.folder, 'bodies');
  const [one = '', two = ''] = readdirSync(bodies);
  rmSync(join(bodies, one));
  const content = readFileSync(join(bodies, two));
  writeFileSync(join(bodies, two), Buffer.alloc(content.length));
  const request = requestOf(t, world.folder);
  const { leftOut } = await takeBackup(request);
  assert.deepEqual(
    leftOut.map(({ why }) => why),
    [`there is no file bodies/${one}`, `bodies/${two} is not what was stored`],
  );
  const folder = await restoreTo(t, request.folder);
  const restored = await openTestWorld({ t, folder });
  assert.equal(restored.bodies.damaged.length, 2);
});

test('a backup that is not finished, damaged or short of a file restores nothing', async (t) => {
  const world = await worldWithMail(t);
  const request = requestOf(t, world.folder);
  await takeBackup(request);
  const [body = ''] = readdirSync(join(request.folder, 'data', 'bodies'));
  const path = join(request.folder, 'data', 'bodies', body);
  const content = readFileSync(path);
  const folder = join(folderOf(t), 'data');
  const spoilt: readonly (readonly [() => void, RegExp])[] = [
    [() => truncateSync(path, 10), /damaged: data\/bodies\/\S+ is not what was written/],
    [() => rmSync(path), /not whole: data\/bodies\/\S+ is missing/],
    [() => writeFileSync(join(request.folder, 'SHA256SUMS'), ''), /SHA256SUMS is not the one/],
    [() => rmSync(join(request.folder, 'backup.json')), /is no finished backup/],
  ];
  for (const [spoil, says] of spoilt) {
    spoil();
    await assert.rejects(restoreBackup(restoreOf(request.folder, folder)), says);
    assert.throws(() => readdirSync(folder), /ENOENT/, 'nothing was written');
  }
  assert.ok(content.length > 0);
});

test('a restore is refused while the service runs, and where the folder holds something unless that is said', async (t) => {
  const world = await worldWithMail(t);
  const request = requestOf(t, world.folder);
  await takeBackup(request);
  const over = restoreOf(request.folder, world.folder);
  await assert.rejects(restoreBackup({ ...over, replace: true }), /in use by a running Pillarbox/);
  await world.store.put({ key: 'raw/later', body: Buffer.from('x'), contentType: octets });
  await world.shut();
  await assert.rejects(restoreBackup(over), /is not empty: --replace/);
  const { replaced } = await restoreBackup({ ...over, replace: true });
  const restored = await openTestWorld({ t, folder: world.folder });
  assert.equal(await restored.store.head('raw/later'), null);
  assert.equal(await restored.store.head('raw/0').then((facts) => facts?.bytes), 300_000);
  const old = await openTestWorld({ t, folder: replaced ?? '' });
  assert.notEqual(await old.store.head('raw/later'), null, 'what was there is kept aside');
});

test('a restore that was cut off is not started on, and is whole after it was run again', async (t) => {
  const world = await worldWithMail(t);
  const request = requestOf(t, world.folder);
  await takeBackup(request);
  await world.shut();
  for (const replace of [false, true]) {
    const folder = replace ? world.folder : join(folderOf(t), 'data');
    const over = { ...restoreOf(request.folder, folder), replace };
    const cut = (step: { readonly what: string }): void => {
      if (step.what === 'files restored') throw new Error('cut off');
    };
    await assert.rejects(restoreBackup({ ...over, progress: cut }), /cut off/);
    await assert.rejects(openTestWorld({ folder }), /a restore into \S+ was cut off/);
    await restoreBackup({ ...over, replace: false });
    const restored = await openTestWorld({ t, folder });
    assert.deepEqual([restored.bodies.files, restored.bodies.damaged], [3, []]);
    await restored.shut();
  }
});

test('mail that may have been sent since waits as dead letters after a restore, mail to mailboxes here goes on', async (t) => {
  const world = await openTestWorld({ t });
  const dsn = { notify: null, orcpt: null };
  const mailbox = { domain: 'receiver.example', localPart: 'ann', tag: null };
  const here = { forwardPath: 'ann@receiver.example', dsn, route: { kind: 'mailbox', mailbox } } as const;
  const away = { forwardPath: 'bob@remote.example', dsn, route: { kind: 'relay' } } as const;
  for (const recipients of [[here], [away], [here, away]]) {
    await world.jobs.send('received', sampleReceivedJob({ recipients: [...recipients] }));
  }
  await world.jobs.send('received-slow', sampleReceivedJob({ recipients: [away] }));
  await world.jobs.send('deliver', sampleDeliverJob());
  const request = requestOf(t, world.folder);
  await takeBackup(request);
  const counts = async (resumeDeliveries: boolean) => {
    const folder = join(folderOf(t), 'data');
    const { held } = await restoreBackup({ ...restoreOf(request.folder, folder), resumeDeliveries });
    const restored = await openTestWorld({ t, folder });
    const queues = (await restored.admin.queues()).map(({ name, ready, dead }) => ({ name, ready, dead }));
    return { held, queues, restored };
  };
  const asItWas = await counts(true);
  assert.partialDeepStrictEqual(asItWas.queues, [
    { name: 'received', ready: 3, dead: 0 },
    { name: 'parse', ready: 0, dead: 0 },
    { name: 'deliver', ready: 1, dead: 0 },
    { name: 'received-slow', ready: 1, dead: 0 },
  ]);
  const { held, queues, restored } = await counts(false);
  assert.equal(held, 4);
  assert.partialDeepStrictEqual(queues, [
    { name: 'received', ready: 2, dead: 2 },
    { name: 'parse', ready: 0, dead: 0 },
    { name: 'deliver', ready: 0, dead: 1 },
    { name: 'received-slow', ready: 0, dead: 1 },
  ]);
  const jobs = await restored.receive('received', 10);
  for (const { body } of jobs) assert.doesNotMatch(body, /relay/);
  const [dead] = await restored.admin.deadLetters('deliver', 1);
  assert.match(dead?.reason ?? '', /may have been sent after the backup was taken/);
  assert.deepEqual([await restored.admin.redrive('received'), await restored.admin.redrive('deliver')], [2, 1]);
});

test('a stopped service is backed up the same way, and what a killed backup held is let go', async (t) => {
  const world = await worldWithMail(t);
  await world.shut();
  const staging = join(world.folder, 'backup-00000000-0000-0000-0000-000000000000.staging');
  mkdirSync(staging);
  const request = requestOf(t, world.folder);
  assert.equal((await takeBackup(request)).bodies, 3);
  assert.ok(!readdirSync(world.folder).some((name) => name.endsWith('.staging')));
});

async function worldWithMail(t: TestContext): Promise<TestWorld> {
  const world = await openTestWorld({ t });
  for (const n of [0, 1, 2]) {
    await world.store.put({ key: `raw/${n}`, body: Buffer.alloc(300_000, `${n}`), contentType: octets });
  }
  return world;
}

function requestOf(t: TestContext, dataFolder: string): BackupRequest {
  return { dataFolder, folder: join(folderOf(t), 'backup'), configPath: null, nowMs: Date.now(), progress: () => {} };
}

function restoreOf(folder: string, dataFolder: string): RestoreRequest {
  return { folder, dataFolder, replace: false, resumeDeliveries: false, nowMs: Date.now(), progress: () => {} };
}

async function restoreTo(t: TestContext, folder: string): Promise<string> {
  const data = join(folderOf(t), 'data');
  await restoreBackup(restoreOf(folder, data));
  return data;
}

async function hashOf(world: TestWorld, key: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of (await world.store.get(key))?.body ?? []) hash.update(piece);
  return hash.digest('hex');
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
