// Real mail programs and bare sockets against the running service: every byte arrives as it was sent behind one Received
// field, every recipient gets what is for him and sees no other.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { peerOptions } from '#test/support/peers/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { idIn } from '#test/support/peers/send-many.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, drained, eventually, startLocalService } from '#test/support/worlds/local-service.ts';

const run = promisify(execFile);
const folder = temporaryFolder();
const hundred = Array.from({ length: 100 }, (_, n) => `member-${n}`);
const service = await startLocalService(
  { after: (end: any) => after(end) },
  {
    folder,
    config: {
      mode: 'serve',
      hostname: 'mx.receiver.example',
      domains: {
        'receiver.example': {
          mailboxes: ['support', 'sales', 'bob', 'jürgen', ...hundred],
          aliases: { info: ['support', 'sales'], help: ['support'], team: ['info', 'bob'] },
        },
        'bücher.example': { mailboxes: ['leser'] },
        'all.example': { mailboxes: ['rest', 'known'], catchAll: 'rest' },
      },
      // Whoever is asked about these senders has never heard of them, at once.
      dns: { servers: ['127.0.0.1:9'], timeoutSeconds: 1, temperrorRetrySeconds: [] },
    },
  },
);
after(() => rmSync(folder, { recursive: true, force: true }));
const port = service.ports.mx;

const head =
  'From: ann@sender.example\r\nTo: bob@receiver.example\r\nDate: Sat, 21 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@x>\r\n';
const long = 'l'.repeat(990);
const text = `${head}Subject: as sent\r\n\r\n.one dot\r\n..two\r\n.\r\nGrüße: 8 bit\r\n\ttab, trailing blanks  \r\n${long}\r\n\r\n\r\nthe end`;
const crlf = join(folder, 'crlf.eml');
const lf = join(folder, 'lf.eml');
writeFileSync(crlf, text);
writeFileSync(lf, text.replaceAll('\r\n', '\n'));
const python = `
import smtplib, sys
with smtplib.SMTP("127.0.0.1", ${port}) as s:
    s.sendmail("ann@sender.example", ["bob@receiver.example"], open(sys.argv[1], "rb").read(), ["BODY=8BITMIME"])
`;
const envelope = ['-f', 'ann@sender.example', 'bob@receiver.example'];
const programs: readonly { readonly peer: string; readonly how: string; readonly command: readonly string[] }[] = [
  { peer: 'python3', how: 'CRLF', command: ['python3', '-c', python, crlf] },
  {
    peer: 'curl',
    how: 'CRLF',
    command: [
      'curl',
      '-sS',
      `smtp://127.0.0.1:${port}`,
      '--mail-from',
      'ann@sender.example',
      '--mail-rcpt',
      'bob@receiver.example',
      '-T',
      crlf,
    ],
  },
  {
    peer: 'curl',
    how: 'LF and --crlf',
    command: [
      'curl',
      '-sS',
      '--crlf',
      `smtp://127.0.0.1:${port}`,
      '--mail-from',
      'ann@sender.example',
      '--mail-rcpt',
      'bob@receiver.example',
      '-T',
      lf,
    ],
  },
  {
    peer: 'msmtp',
    how: 'LF',
    command: ['sh', '-c', `msmtp --host=127.0.0.1 --port=${port} ${envelope.join(' ')} < ${lf}`],
  },
  {
    peer: 'swaks',
    how: 'LF',
    command: [
      'swaks',
      '--server',
      `127.0.0.1:${port}`,
      '-f',
      'ann@sender.example',
      '-t',
      'bob@receiver.example',
      '--data',
      `@${lf}`,
    ],
  },
  {
    peer: 'swaks',
    how: 'LF, TLS, pipelined',
    command: [
      'swaks',
      '--tls',
      '--pipeline',
      '--server',
      `127.0.0.1:${port}`,
      '-f',
      'ann@sender.example',
      '-t',
      'bob@receiver.example',
      '--data',
      `@${lf}`,
    ],
  },
];
for (const { peer, how, command } of programs) {
  test(
    `${peer} (${how}): dots, 8 bit, long lines and a missing last line break arrive as they were`,
    peerOptions(peer),
    async () => {
      const before = await ids();
      await run(command[0] ?? '', command.slice(1));
      const id = await eventually('it is stored', async () => (await ids()).find((one) => !before.includes(one)));
      assert.equal((await body(id)).toString(), `${text}\r\n`);
      assert.equal((await ids()).length, before.length + 1, 'it is there once');
    },
  );
}

const everyOctet = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet));
const binary = Buffer.concat([
  Buffer.from(
    `${head}Subject: binary\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n`,
  ),
  ...Array.from({ length: 40 }, () => everyOctet),
  Buffer.from('\r\n.\r\nQUIT\r\n\n.\n\r.\r'),
]);
const chunked: readonly {
  readonly title: string;
  readonly mail: string;
  readonly content: Buffer;
  readonly sizes: readonly number[];
}[] = [
  {
    title: 'BINARYMIME in one chunk: every octet, line ends of all kinds',
    mail: 'BODY=BINARYMIME',
    content: binary,
    sizes: [],
  },
  {
    title: 'BINARYMIME in chunks of odd sizes',
    mail: 'BODY=BINARYMIME',
    content: binary,
    sizes: [1, 0, 7, 1_000, 4_096],
  },
  {
    title: 'text over BDAT with dots and no last line break',
    mail: 'BODY=8BITMIME',
    content: Buffer.from(text),
    sizes: [100, 200],
  },
  { title: 'no octet at all', mail: '', content: Buffer.alloc(0), sizes: [] },
];
for (const { title, mail, content, sizes } of chunked) {
  test(`BDAT takes ${title}: nothing is added, nothing changed (RFC 3030)`, async () => {
    const smtp = await rawSmtp(port);
    await smtp.command('EHLO mx.sender.example');
    await smtp.command(`MAIL FROM:<ann@sender.example> ${mail}`.trim());
    await smtp.command('RCPT TO:<bob@receiver.example>');
    let at = 0;
    for (const size of sizes) {
      await smtp.write(Buffer.concat([Buffer.from(`BDAT ${size}\r\n`), content.subarray(at, at + size)]));
      assert.match(await smtp.reply(), /^250 /);
      at += size;
    }
    await smtp.write(Buffer.concat([Buffer.from(`BDAT ${content.length - at} LAST\r\n`), content.subarray(at)]));
    const reply = await smtp.reply();
    assert.match(reply, /^250 2\.6\.0 /);
    smtp.close();
    const id = idIn(reply);
    await whenStored(id);
    assert.ok((await body(id)).equals(content));
  });
}

test('DATA takes NUL and lines far beyond 1,000 octets as they are', async () => {
  const content = Buffer.from(`Subject: odd\r\n\r\nnul \0 here\r\n${'x'.repeat(300_000)}\r\n`);
  const id = await send(['bob@receiver.example'], content);
  assert.ok((await body(id)).equals(content));
});

for (const [name, bytes] of [
  ['LF', 'one\ntwo\r\n'],
  ['CR', 'one\rtwo\r\n'],
  ['LF.LF', 'one\n.\ntwo\r\n'],
  ['LF.CRLF', 'one\n.\r\ntwo\r\n'],
  ['CR.CR', 'one\r.\rtwo\r\n'],
] as const) {
  test(`a bare ${name} in text is refused, and does not end the message`, async () => {
    const smtp = await rawSmtp(port);
    await smtp.command('EHLO mx.sender.example');
    const reply = await sendRaw(smtp, {
      to: ['bob@receiver.example'],
      content: Buffer.from(`Subject: x\r\n\r\n${bytes}`),
    });
    assert.match(reply, /^550 5\.6\.11 /);
    assert.match(await smtp.command('NOOP'), /^250 /, 'the session is in step');
    smtp.close();
  });
}

test('addresses in UTF-8 arrive under SMTPUTF8, the domain in its ASCII form (RFC 6531)', async () => {
  const parameters = { mail: 'SMTPUTF8 BODY=8BITMIME', rcpt: '' };
  const content = Buffer.from('From: 用户 <用户@例子.example>\r\nSubject: Grüße\r\n\r\nhi\r\n');
  const smtp = await rawSmtp(port);
  await smtp.command('EHLO mx.sender.example');
  const to = ['jürgen+ä@receiver.example', 'leser@bücher.example'];
  const id = idIn(await sendRaw(smtp, { from: '用户@例子.example', to, content, parameters }));
  smtp.close();
  await whenStored(id);
  const own = await message(id, 'jürgen@receiver.example');
  assert.deepEqual([own.mailbox.localPart, own.mailbox.tag, own.subject], ['jürgen', 'ä', 'Grüße']);
  assert.equal(own.envelope.reversePath, '用户@xn--fsqu00a.example');
  assert.equal((await message(id, 'leser@xn--bcher-kva.example')).mailbox.domain, 'xn--bcher-kva.example');
});

const routes: readonly { readonly to: readonly string[]; readonly storedIn: Readonly<Record<string, string>> }[] = [
  { to: ['support@receiver.example'], storedIn: { 'support@receiver.example': 'support@receiver.example' } },
  {
    to: ['Support+Tag.1@RECEIVER.example'],
    storedIn: { 'support@receiver.example': 'Support+Tag.1@receiver.example' },
  },
  {
    to: ['info@receiver.example'],
    storedIn: {
      'sales@receiver.example': 'info@receiver.example',
      'support@receiver.example': 'info@receiver.example',
    },
  },
  {
    to: ['team@receiver.example'],
    storedIn: {
      'bob@receiver.example': 'team@receiver.example',
      'sales@receiver.example': 'team@receiver.example',
      'support@receiver.example': 'team@receiver.example',
    },
  },
  { to: ['anybody@all.example'], storedIn: { 'rest@all.example': 'anybody@all.example' } },
  { to: ['known@all.example'], storedIn: { 'known@all.example': 'known@all.example' } },
  { to: ['postmaster@receiver.example'], storedIn: { 'postmaster@receiver.example': 'postmaster@receiver.example' } },
  {
    to: ['help@receiver.example', 'support@receiver.example'],
    storedIn: { 'support@receiver.example': 'support@receiver.example' },
  },
];
for (const { to, storedIn } of routes) {
  test(`mail to ${to.join(' and ')} is stored in ${Object.keys(storedIn).join(', ')}, in each once`, async () => {
    const id = await send(to, Buffer.from('Subject: route\r\n\r\nhi\r\n'));
    const listed = (await allMessages(service)).filter((one) => one.id === id);
    assert.deepEqual(
      listed.map(({ mailboxes }) => mailboxes),
      [Object.keys(storedIn)],
    );
    for (const [mailbox, forwardPath] of Object.entries(storedIn)) {
      assert.equal((await message(id, mailbox)).envelope.forwardPath, forwardPath);
    }
  });
}

test('each of 100 recipients of one message gets it, and no trace of the other 99', async () => {
  const to = hundred.map((name) => `${name}@receiver.example`);
  const id = await send(to, Buffer.from('Subject: to all\r\n\r\nhi\r\n'));
  const raw = (await (await fetch(`${service.http}/api/messages/${id}/raw`)).text()).toLowerCase();
  assert.doesNotMatch(raw, /member-\d/);
  await Promise.all(
    to.map(async (mailbox) => {
      const own = await message(id, mailbox);
      assert.equal(own.envelope.forwardPath, mailbox);
      const named = new Set(JSON.stringify(own).match(/member-\d+/g));
      assert.deepEqual([...named], [mailbox.split('@')[0]]);
    }),
  );
});

test('unknown recipients are refused at RCPT, the others of the transaction get their mail', async () => {
  const smtp = await rawSmtp(port);
  await smtp.command('EHLO mx.sender.example');
  await smtp.command('MAIL FROM:<ann@sender.example>');
  assert.match(await smtp.command('RCPT TO:<nobody@receiver.example>'), /^550 5\.1\.1 /);
  assert.match(await smtp.command('RCPT TO:<x@elsewhere.example>'), /^550 5\.7\.1 /);
  assert.match(await smtp.command('RCPT TO:<bob@receiver.example>'), /^250 /);
  assert.match(await smtp.command('DATA'), /^354 /);
  const id = idIn(await smtp.command('Subject: mixed\r\n\r\nhi\r\n.'));
  smtp.close();
  await whenStored(id);
  assert.equal((await message(id, 'bob@receiver.example')).subject, 'mixed');
});

async function send(to: readonly string[], content: Buffer): Promise<string> {
  const smtp = await rawSmtp(port);
  await smtp.command('EHLO mx.sender.example');
  const reply = await sendRaw(smtp, { to, content });
  assert.match(reply, /^250 2\.6\.0 /);
  smtp.close();
  await whenStored(idIn(reply));
  return idIn(reply);
}

async function whenStored(id: string): Promise<void> {
  await drained(service, 20);
  assert.equal((await fetch(`${service.http}/api/messages/${id}/raw`)).status, 200);
}

async function ids(): Promise<readonly string[]> {
  return (await allMessages(service)).map(({ id }) => id);
}

async function message(id: string, mailbox: string): Promise<any> {
  return service.json(`/api/messages/${id}?mailbox=${encodeURIComponent(mailbox)}`);
}

/** What stands behind our one Received field. */
async function body(id: string): Promise<Buffer> {
  const raw = Buffer.from(await (await fetch(`${service.http}/api/messages/${id}/raw`)).arrayBuffer());
  const received = /^Received: .*\r\n(?:[ \t].*\r\n)*/.exec(raw.toString('latin1'))?.[0] ?? '';
  assert.ok(received.length > 0, 'there is a Received field');
  return raw.subarray(received.length);
}
