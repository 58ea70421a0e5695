// Body files that vanish under a running service, or are not in a copy of its folder: the API and the stages answer at once.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { openTestWorld, temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { drained, eventually, type LocalService, startLocalService } from '#test/support/worlds/local-service.ts';

const config = { retention: { rawDays: 30, inboxDays: 30 } };

test('a message whose file is gone or short is answered 410 at once, and the service goes on idle', async (t) => {
  const folder = folderOf(t);
  const service = await startLocalService(t, { folder, config });
  const [gone = '', short = ''] = await sendLarge(service, ['gone', 'short']);
  await drained(service);
  rmSync(await fileOf(folder, gone));
  truncateSync(await fileOf(folder, short), 1_000);
  const before = cpuSeconds(service);
  for (const [id, says] of [
    [gone, /the stored body of raw\/\S+ is gone: there is no file bodies\//],
    [short, /is not what was stored: bodies\/\S+ has 1000 bytes instead of \d+/],
  ] as const) {
    for (const path of ['raw', 'attachments/1']) {
      const response = await fetch(`${service.http}/api/messages/${id}/${path}`, {
        signal: AbortSignal.timeout(5_000),
      });
      const isRaw = path === 'raw';
      assert.equal(response.status, isRaw ? 410 : 200, `${path} of ${id}`);
      if (isRaw) assert.match(await response.text(), says);
      else assert.equal((await response.arrayBuffer()).byteLength, attachmentBytes);
    }
    const { where } = await service.json(`/api/messages/${id}/trace`);
    assert.match(where.at(-1), /^its bytes are lost: the stored body of raw\//);
    const replayed = await fetch(`${service.http}/api/messages/${id}/replay`, { method: 'POST' });
    assert.equal(replayed.status, 410);
  }
  assert.ok(cpuSeconds(service) - before < 2, `${cpuSeconds(service) - before} s of CPU`);
  assert.equal(await service.stop(), 0);
});

test('a start says which bodies a copy of the folder lacks, and all else is served', async (t) => {
  const folder = folderOf(t);
  const service = await startLocalService(t, { folder, config });
  const ids = await sendLarge(service, ['one', 'two', 'three']);
  await drained(service);
  await service.kill();

  // As a copy of the live folder would be that was made a moment too late for two of the bodies.
  const copy = folderOf(t);
  cpSync(join(folder, 'data'), join(copy, 'data'), { recursive: true });
  for (const id of ids.slice(0, 2)) rmSync(await fileOf(copy, id));
  const again = await startLocalService(t, { folder: copy, config });
  const lines = again.output().split('\n');
  for (const id of ids.slice(0, 2)) {
    assert.ok(
      lines.some((line) => line.includes('"body-damaged"') && line.includes(id)),
      `the log names ${id}`,
    );
  }
  assert.ok(!lines.some((line) => line.includes('"body-damaged"') && line.includes(ids[2] ?? '-')));
  const { status, problems } = await again.json('/health');
  assert.equal(status, 'degraded');
  assert.match(problems.join(), /2 of 6 stored bodies that are files are missing or damaged/);
  for (const [n, id] of ids.entries()) {
    const { status: answer } = await fetch(`${again.http}/api/messages/${id}/raw`, {
      signal: AbortSignal.timeout(5_000),
    });
    assert.equal(answer, n < 2 ? 410 : 200);
  }
  assert.equal(await again.stop(), 0);
});

test('an attachment whose file is gone is made again by a replay, as long as the message itself is there', async (t) => {
  const folder = folderOf(t);
  const service = await startLocalService(t, { folder, config });
  const [id = ''] = await sendLarge(service, ['again']);
  await drained(service);
  const bodies = join(folder, 'data', 'bodies');
  const raw = await fileOf(folder, id);
  for (const name of readdirSync(bodies)) if (join(bodies, name) !== raw) rmSync(join(bodies, name));
  const path = `${service.http}/api/messages/${id}`;
  assert.equal((await fetch(`${path}/attachments/1`)).status, 410);
  assert.equal((await fetch(`${path}/replay`, { method: 'POST' })).status, 202);
  await drained(service);
  const response = await fetch(`${path}/attachments/1`);
  assert.ok(Buffer.from(await response.arrayBuffer()).equals(Buffer.alloc(attachmentBytes, 'again')));
  assert.equal(await service.stop(), 0);
});

test('a start on a damaged database ends with what to do', async (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'pillarbox.sqlite'), Buffer.alloc(100_000, 'x'));
  const starting = startLocalService(t, { folder, config });
  await assert.rejects(starting, /pillarbox\.sqlite is damaged \(.+\): restore a backup \(the command restore\)/);
});

test('a stage whose message is gone fails at once with the true reason, without a busy core', async (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, 'data'));
  const world = await openTestWorld({ folder: join(folder, 'data') });
  const content = Buffer.from(`Subject: x\r\n\r\n${'x'.repeat(300_000)}\r\n`);
  const job = sampleReceivedJob({ content });
  const writer = world.intake.open({ key: job.raw.key, envelope: {} });
  await writer.write(content);
  await writer.commit(job);
  await world.shut();
  for (const name of readdirSync(join(folder, 'data', 'bodies'))) rmSync(join(folder, 'data', 'bodies', name));
  const service = await startLocalService(t, { folder, config });
  const failed = await eventually(
    'the job failed',
    () =>
      service
        .output()
        .split('\n')
        .find((line) => /"job-(failed|dead)"/.test(line)),
    10,
  );
  assert.match(failed, /the stored body of raw\/\S+ is gone: there is no file bodies\//);
  const before = cpuSeconds(service);
  await service.json('/health');
  assert.ok(cpuSeconds(service) - before < 1);
});

const attachmentBytes = 300_000;

/** Messages whose raw bytes and whose attachment are files. */
async function sendLarge(service: LocalService, subjects: readonly string[]): Promise<readonly string[]> {
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  const ids: string[] = [];
  for (const subject of subjects) {
    const attachment = Buffer.alloc(attachmentBytes, subject).toString('base64').replaceAll(/.{76}/g, '$&\r\n');
    const content = `Subject: ${subject}\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n${attachment}\r\n`;
    const reply = await sendRaw(smtp, { to: ['bob@receiver.example'], content: Buffer.from(content) });
    ids.push(/[0-9A-HJKMNP-TV-Z]{26}/.exec(reply)?.[0] ?? '');
  }
  smtp.close();
  return ids;
}

/** The file that holds the raw bytes of a message: its Received field has the id. */
async function fileOf(folder: string, id: string): Promise<string> {
  const bodies = join(folder, 'data', 'bodies');
  return eventually('its file is there', () =>
    readdirSync(bodies)
      .map((name) => join(bodies, name))
      .find((path) => readFileSync(path, 'latin1').slice(0, 1_000).includes(id)),
  );
}

function cpuSeconds({ child }: LocalService): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
