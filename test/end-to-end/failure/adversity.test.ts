// The running service when the world around it is unkind: a DNS that never answers, a full disk, an end amid the work.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { startScriptedDns } from '#test/support/peers/scripted-dns.ts';
import { idIn, sendMany } from '#test/support/peers/send-many.ts';
import { amount } from '#test/support/time/soak.ts';
import { sharedStopwatch } from '#test/support/time/stopwatch.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import {
  allMessages,
  drained,
  eventually,
  type LocalService,
  spawnService,
  startLocalService,
} from '#test/support/worlds/local-service.ts';

test('a DNS that never answers makes verdicts temperror, in time and after the retries; other mail passes', async (t) => {
  const dns = await startScriptedDns((name) => (name.includes('silent') ? null : 0));
  t.after(dns.close);
  const service = await startLocalService(t, {
    folder: folderOf(t),
    config: {
      mode: 'serve',
      hostname: 'mx.receiver.example',
      domains: { 'receiver.example': { mailboxes: ['bob'] } },
      dns: { servers: [dns.server], timeoutSeconds: 2, temperrorRetrySeconds: [1] },
    },
  });
  const elapsedMs = sharedStopwatch();
  const startedAt = performance.now();
  const silent = await Promise.all(Array.from({ length: 20 }, (_, n) => send(service, `ann@silent${n}.example`)));
  const quick = await send(service, 'ann@quick.example');
  await whenStored(service, quick);
  const there = (await allMessages(service)).map(({ id }) => id);
  assert.deepEqual(there, [quick], 'mail whose zones answer does not wait for the others');
  for (const id of silent) {
    const { authentication, disposition } = await whenStored(service, id);
    assert.equal(authentication.spf.result, 'temperror');
    assert.equal(authentication.dmarc.result, 'temperror');
    assert.equal(disposition.action, 'accept');
  }
  assert.ok(performance.now() - startedAt >= 4_900, 'two deadlines and a wait');
  const took = elapsedMs();
  assert.ok(took < 15_000, `not one after the other: ${took} ms`);
});

test('without a configuration mail is stored at once on a machine whose DNS is dead', async (t) => {
  const folder = folderOf(t);
  const dead = join(folder, 'resolv.conf');
  writeFileSync(dead, 'nameserver 192.0.2.53\noptions timeout:5 attempts:3\n');
  // A network of its own without a way out, and its own resolv.conf.
  const script = `mount --bind ${dead} /etc/resolv.conf && ip link set lo up && exec "$0" "$@"`;
  const client = `
    const { startLocalService } = await import('#test/support/worlds/local-service.ts');
    const { rawSmtp, sendRaw } = await import('#test/support/peers/raw-smtp.ts');
    const { sharedStopwatch } = await import('#test/support/time/stopwatch.ts');
    const ends = [];
    const service = await startLocalService({ after: (end) => ends.push(end) }, { folder: ${JSON.stringify(folder)} });
    const elapsedMs = sharedStopwatch();
    const smtp = await rawSmtp(service.ports.mx);
    await smtp.command('EHLO mx.sender.example');
    const reply = await sendRaw(smtp, { to: ['bob@receiver.example'], content: Buffer.from('Subject: x\\r\\n\\r\\nhi\\r\\n') });
    const id = /[0-9A-HJKMNP-TV-Z]{26}/.exec(reply)[0];
    while ((await fetch(service.http + '/api/messages/' + id)).status !== 200) await new Promise((r) => setTimeout(r, 10));
    console.log(JSON.stringify({ took: elapsedMs() }));
    smtp.close();
    for (const end of ends) await end();
    process.exit(0);`;
  const args = ['-n', '-m', 'sh', '-c', script, process.execPath, '--input-type=module-typescript', '-e', client];
  if (!(await canUnshare())) return t.skip('needs the right to make namespaces (unshare -n -m)');
  const { took } = JSON.parse(await output('unshare', args));
  // One question that waits for a dead DNS would take five seconds.
  assert.ok(took < 3_000, `${took} ms`);
});

test('on a full disk the service says 45x and goes on when there is room again; what it took is there', async (t) => {
  if (!(await canUnshare())) return t.skip('needs the right to make namespaces (unshare -n -m)');
  const folder = folderOf(t);
  const script = 'mount -t tmpfs -o size=24m none "$0" && ip link set lo up && exec "$@"';
  const client = fileURLToPath(new URL('../../support/peers/fill-disk.ts', import.meta.url));
  const { before, full, after, lost } = JSON.parse(
    await output('unshare', ['-n', '-m', 'sh', '-c', script, folder, process.execPath, client, folder]),
  );
  assert.ok(before > 0 && full.length > 0 && after > 0, JSON.stringify({ before, full, after }));
  for (const reply of full) assert.match(reply, /^45\d 4\.3\.\d /);
  assert.deepEqual(lost, [], 'of what got its 250');
});

const many = amount(800, 2_000);

test(`SIGTERM amid ${many} messages ends it with code 0, and all that got its 250 is there at the next start`, async (t) => {
  const folder = folderOf(t);
  const first = await startLocalService(t, { folder });
  const sent = sendMany(first.ports.mx, { connections: 30, messages: many });
  await eventually('some are through', () => sent.accepted.size > many / 4);
  const elapsedMs = sharedStopwatch();
  assert.equal(await first.stop(), 0);
  assert.ok(elapsedMs() < 10_000, 'well within the grace');
  await sent.finished;
  assert.ok(sent.accepted.size < many, 'it ended in the middle');
  for (const reply of sent.refused) assert.match(reply, /^421 4\.3\.2 /);
  const second = await startLocalService(t, { folder });
  await drained(second);
  const listed = Map.groupBy(await allMessages(second), ({ subject }) => subject);
  for (const [subject, id] of sent.accepted) {
    assert.deepEqual(
      listed.get(subject)?.map((message) => message.id),
      [id],
    );
  }
});

test('a second service on the folder of the emulator world is refused', async (t) => {
  const folder = folderOf(t);
  const args = ['--world', 'emulator'];
  await startLocalService(t, { folder, args });
  const second = spawnService({ folder, args });
  t.after(() => second.child.kill('SIGKILL'));
  const [code] = await second.exited;
  assert.equal(code, 1);
  assert.match(second.errors(), /in use/);
});

async function send(service: LocalService, from: string): Promise<string> {
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  const content = Buffer.from(`From: ${from}\r\nSubject: x\r\n\r\nhi\r\n`);
  const reply = await sendRaw(smtp, { from, to: ['bob@receiver.example'], content });
  smtp.close();
  assert.match(reply, /^250 /);
  return idIn(reply);
}

async function whenStored(service: LocalService, id: string): Promise<any> {
  return eventually(`${id} is stored`, async () => {
    const response = await fetch(`${service.http}/api/messages/${id}`);
    return response.status === 200 ? response.json() : null;
  });
}

function canUnshare(): Promise<boolean> {
  return output('unshare', ['-n', '-m', 'ip', 'link', 'set', 'lo', 'up']).then(
    () => true,
    () => false,
  );
}

function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      [...args],
      { cwd: new URL('../../..', import.meta.url).pathname, timeout: 60_000 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${command}: ${stdout}${stderr}`, { cause: error }));
      },
    );
  });
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
