import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { startTestListener, testConfig } from '#test/support/worlds/start-test-listener.ts';

const users = [{ name: 'app@example.test', password: openSesameHash, mayFrom: ['*@example.test'] }];
const listener = await startTestListener({ after }, { ...testConfig, users });
const { intake, port } = listener;
const folder = await mkdtemp(join(tmpdir(), 'pillarbox-peers-'));
after(() => rm(folder, { recursive: true }));

const text =
  'From: app@example.test\nTo: support@example.test\nSubject: peer\nDate: x\nMessage-ID: <1@x>\n\n.leading dot\n\n..two\nlast\n';
const wanted = text.replaceAll('\n', '\r\n');
const file = join(folder, 'message.eml');
await writeFile(file, text);
await writeFile(join(folder, 'crlf.eml'), wanted);

function run(command: string, parameters: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(findPeer(command) ?? command, parameters, { timeout: 20_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command}: ${stdout}${stderr}`, { cause: error }));
    });
    child.stdin?.end(input);
  });
}

function lastBody(): string {
  return (intake.messages.at(-1)?.raw.toString('latin1') ?? '').replace(/^Received: (?:.*\r\n)(?:[ \t].*\r\n)*/, '');
}

test('swaks sends over STARTTLS and its message arrives as it was', peerOptions('swaks'), async () => {
  await run('swaks', [
    '--server',
    '127.0.0.1',
    '--port',
    String(port('mx')),
    '--tls',
    '--from',
    'a@sender.test',
    '--to',
    'support@example.test',
    '--data',
    `@${file}`,
  ]);
  assert.equal(lastBody().trimEnd(), wanted.trimEnd());
});

for (const mechanism of ['PLAIN', 'LOGIN']) {
  test(`swaks submits with AUTH ${mechanism} on 587 and on 465`, peerOptions('swaks'), async () => {
    const common = [
      '--server',
      '127.0.0.1',
      '--auth',
      mechanism,
      '--auth-user',
      'app@example.test',
      '--auth-password',
      'open sesame',
      '--from',
      'app@example.test',
      '--to',
      'x@elsewhere.test',
    ];
    await run('swaks', [...common, '--port', String(port('submission')), '--tls']);
    await run('swaks', [...common, '--port', String(port('submissions')), '--tlsc']);
    assert.equal(intake.messages.at(-1)?.job.envelope.recipients[0]?.route.kind, 'relay');
  });
}

test('curl submits with a password', peerOptions('curl'), async () => {
  await run('curl', [
    '-sS',
    '-k',
    '--url',
    `smtps://127.0.0.1:${port('submissions')}`,
    '--user',
    'app@example.test:open sesame',
    '--mail-from',
    'app@example.test',
    '--mail-rcpt',
    'support@example.test',
    '--upload-file',
    join(folder, 'crlf.eml'),
  ]);
  assert.equal(lastBody(), wanted);
});

test('curl sends over STARTTLS', peerOptions('curl'), async () => {
  await run('curl', [
    '-sS',
    '-k',
    '--ssl-reqd',
    '--url',
    `smtp://127.0.0.1:${port('mx')}/client.test`,
    '--mail-from',
    'a@sender.test',
    '--mail-rcpt',
    'support@example.test',
    '--upload-file',
    join(folder, 'crlf.eml'),
  ]);
  assert.equal(lastBody(), wanted);
});

test('msmtp submits with a password', peerOptions('msmtp'), async () => {
  await run(
    'msmtp',
    [
      '--host=127.0.0.1',
      `--port=${port('submission')}`,
      '--tls=on',
      '--tls-starttls=on',
      '--tls-certcheck=off',
      '--auth=plain',
      '--user=app@example.test',
      '--passwordeval=echo open sesame',
      '--from=app@example.test',
      'support@example.test',
    ],
    text,
  );
  assert.equal(lastBody(), wanted);
});

test("Python's smtplib sends, with UTF-8 addresses too", peerOptions('python3'), async () => {
  const script = [
    'import smtplib, sys',
    `s = smtplib.SMTP("127.0.0.1", ${port('mx')})`,
    `s.sendmail("a@sender.test", ["support@example.test"], open("${join(folder, 'crlf.eml')}", "rb").read())`,
    's.starttls()',
    's.ehlo()',
    's.sendmail("jürgen@sender.test", ["bücher@example.test"], "Subject: x\\r\\n\\r\\nhi\\r\\n", mail_options=["SMTPUTF8", "BODY=8BITMIME"])',
    's.quit()',
  ].join('\n');
  await run('python3', ['-c', script]);
  assert.equal(intake.messages.at(-2)?.raw.toString('latin1').endsWith(wanted), true);
  assert.equal(intake.messages.at(-1)?.job.envelope.reversePath, 'jürgen@sender.test');
  assert.equal(intake.messages.at(-1)?.job.envelope.smtpUtf8, true);
});

test('smtp-source sends 500 messages over 20 connections, each arrives once', peerOptions('smtp-source'), async () => {
  const before = intake.messages.length;
  await run('smtp-source', [
    '-d',
    '-s',
    '20',
    '-m',
    '500',
    '-l',
    '4096',
    '-f',
    'a@sender.test',
    '-t',
    'support@example.test',
    `127.0.0.1:${port('mx')}`,
  ]);
  assert.equal(intake.messages.length, before + 500);
  assert.equal(new Set(intake.messages.map(({ job }) => job.id)).size, intake.messages.length);
});
