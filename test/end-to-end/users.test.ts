// Users of a running service, by its configuration file: an old hash is renewed at log-in, who is taken out is out.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { verifyPassword } from '#pipeline/config/password.ts';
import { type RawSmtp, rawSmtp } from '#test/support/peers/raw-smtp.ts';
import { oldHash } from '#test/support/samples/password-hashes.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { eventually, startLocalService } from '#test/support/worlds/local-service.ts';

const [ann, bob] = ['ann@a.example', 'bob@a.example'].map((name) => ({
  name,
  password: oldHash('open sesame'),
  mayFrom: [name],
})) as [Entry, Entry];
type Entry = { name: string; password: string; mayFrom: string[] };

async function loggedIn(port: number, { name }: Entry): Promise<RawSmtp> {
  const smtp = await rawSmtp(port, { tls: true });
  await smtp.command('EHLO client.example');
  const token = Buffer.from(`\0${name}\0open sesame`).toString('base64');
  assert.match(await smtp.command(`AUTH PLAIN ${token}`), /^235/);
  return smtp;
}

test("a log-in renews an old hash in the file, which is its owner's alone then; no session ends for it, but within a second of an edit that takes its user out", async (t) => {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'pillarbox.json');
  const config = { mode: 'serve' as const, hostname: 'mx.a.example', users: [ann, bob] };
  const { ports } = await startLocalService(t, { folder, config });
  const text = readFileSync(path, 'utf8');
  chmodSync(path, 0o644);
  const first = await loggedIn(ports.submissions, ann);
  const after = await eventually('a new hash', () => {
    const now = readFileSync(path, 'utf8');
    return now !== text && now;
  });
  const renewed = /scrypt:131072:8:1:[^"]*/.exec(after)?.[0] ?? '';
  assert.ok(await verifyPassword('open sesame', renewed));
  assert.equal(after.replace(renewed, ann.password), text, "all else is as it was, bob's hash too");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = await loggedIn(ports.submissions, ann);
  // Once bob is known under another password the file has been read again: the first session is still there.
  const idle = await loggedIn(ports.submissions, bob);
  await eventually('two new hashes', () => readFileSync(path, 'utf8').match(/scrypt:131072/g)?.length === 2);
  await first.command('MAIL FROM:<ann@a.example>');
  assert.match(await first.command('RCPT TO:<x@b.example>'), /^250/);
  assert.match(await first.command('DATA'), /^354/);
  await first.write('From: ann@a.example\r\n\r\nhalf');
  const edited = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(`${path}.mine`, JSON.stringify({ ...edited, users: edited.users.slice(1) }));
  const elapsedMs = stopwatch();
  renameSync(`${path}.mine`, path);
  for (const session of [first, second]) assert.match(await session.reply(), /^421 4\.7\.0/);
  assert.ok(elapsedMs() < 1_000, `${elapsedMs()} ms`);
  assert.match(await idle.command('NOOP'), /^250/);
  idle.close();
});
