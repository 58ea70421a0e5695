// The embedded world from socket to JSON: what was sent is there once, byte for byte, and stays there through kill -9.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { amount } from '#test/support/time/soak.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, drained, eventually, startLocalService } from '#test/support/worlds/local-service.ts';

const run = promisify(execFile);
const head = 'From: Ann <ann@sender.example>\r\nTo: bob@receiver.example\r\nSubject: bytes\r\n\r\n';

const bodies: readonly { readonly name: string; readonly content: Uint8Array }[] = [
  { name: 'plain text', content: Buffer.from(`${head}hello\r\n`) },
  { name: 'dots at the start of lines', content: Buffer.from(`${head}.\r\n..\r\n...x\r\n.\r\n\r\n.`.concat('\r\n')) },
  { name: 'a dot as the very first octet', content: Buffer.from('.x: y\r\n\r\nhello\r\n') },
  { name: 'no header at all', content: Buffer.from('\r\nonly a body\r\n') },
  { name: 'nothing but an empty line', content: Buffer.from('\r\n') },
  { name: '8-bit and control octets', content: Buffer.concat([Buffer.from(head), everyOctet(), Buffer.from('\r\n')]) },
  { name: 'a header that does not end', content: Buffer.from('Subject: no body') },
  { name: 'blank lines at the end', content: Buffer.from(`${head}hello\r\n\r\n\r\n\r\n`) },
  { name: 'a line of 990 octets', content: Buffer.from(`${head}${'x'.repeat(990)}\r\n`) },
  { name: '300 KB, over the size of a row', content: Buffer.concat([Buffer.from(head), lines(300_000)]) },
  { name: '40 MB', content: Buffer.concat([Buffer.from(head), lines(40_000_000)]) },
].map(({ name, content }) => ({ name, content: endedByLine(content) }));

test('every message sent over a socket is listed once, its bytes unchanged behind one Received field', async (t) => {
  const service = await startLocalService(t, { folder: folderOf(t) });
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  const ids: string[] = [];
  for (const { name, content } of bodies) {
    const reply = await sendRaw(smtp, { to: ['bob@receiver.example'], content });
    assert.match(reply, /^250 2\.6\.0 .*[0-9A-Z]{26}/, `${name}: ${reply}`);
    ids.push(idOf(reply));
  }
  smtp.close();
  await drained(service);
  const listed = (await allMessages(service)).map(({ id }) => id);
  assert.deepEqual(listed, [...ids].reverse(), 'newest first, each once');
  for (const [n, { name, content }] of bodies.entries()) {
    const response = await fetch(`${service.http}/api/messages/${ids[n]}/raw`);
    const raw = Buffer.from(await response.arrayBuffer());
    const received = raw.subarray(0, raw.length - content.length);
    assert.ok(raw.subarray(raw.length - content.length).equals(content), `${name}: the bytes are those that were sent`);
    assert.match(received.toString('latin1'), /^Received: from mx\.sender\.example [\s\S]*\r\n$/, name);
    assert.equal(
      received
        .toString('latin1')
        .replaceAll(/\r\n[ \t]/g, ' ')
        .split('\r\n').length,
      2,
      `${name}: one field`,
    );
    const message = await service.json(`/api/messages/${ids[n]}`);
    assert.equal(message.raw.bytes, raw.length, name);
  }
  assert.equal(await service.stop(), 0);
});

const programs: readonly {
  peer: string;
  messages?: number;
  send: (port: number, folder: string) => [string, string[]];
}[] = [
  {
    peer: 'swaks',
    send: (port) => [
      'swaks',
      ['--server', `127.0.0.1:${port}`, '-f', 'ann@sender.example', '-t', 'bob@receiver.example'],
    ],
  },
  {
    peer: 'curl',
    send: (port, folder) => {
      writeFileSync(join(folder, 'mail.eml'), `${head}hello from curl\r\n`);
      const mail = ['--mail-from', 'ann@sender.example', '--mail-rcpt', 'bob@receiver.example'];
      return ['curl', ['-sS', `smtp://127.0.0.1:${port}`, ...mail, '-T', join(folder, 'mail.eml')]];
    },
  },
  {
    peer: 'python3',
    send: (port) => [
      'python3',
      [
        '-c',
        `import smtplib\nwith smtplib.SMTP("127.0.0.1", ${port}) as s: s.sendmail("ann@sender.example", ["bob@receiver.example"], "Subject: x\\r\\n\\r\\nhello\\r\\n")`,
      ],
    ],
  },
  {
    peer: 'msmtp',
    send: (port, folder) => {
      writeFileSync(
        join(folder, 'send.sh'),
        `printf 'Subject: x\\n\\nhello\\n' | msmtp --host=127.0.0.1 --port=${port} -f ann@sender.example bob@receiver.example`,
      );
      return ['sh', [join(folder, 'send.sh')]];
    },
  },
  {
    peer: 'smtp-source',
    messages: 500,
    send: (port) => {
      const args = ['-s', '20', '-m', '500', '-l', '4096', '-f', 'ann@sender.example', '-t', 'bob@receiver.example'];
      return [findPeer('smtp-source') ?? '', [...args, `127.0.0.1:${port}`]];
    },
  },
];
test('what usual programs send is listed, each message once', async (t) => {
  const service = await startLocalService(t, { folder: folderOf(t) });
  let count = 0;
  for (const { peer, messages = 1, send } of programs) {
    await t.test(peer, peerOptions(peer), async () => {
      const [command, args] = send(service.ports.mx, folderOf(t));
      await run(command, args);
      await drained(service);
      count += messages;
      const listed = await allMessages(service);
      assert.equal(new Set(listed.map(({ id }) => id)).size, count);
      assert.equal(listed[0].mailbox, 'bob@receiver.example');
    });
  }
});

const many = amount(1_500, 5_000);

test(`kill -9 in the middle of ${many} messages over 50 connections loses and doubles nothing that got its 250`, async (t) => {
  const folder = folderOf(t);
  const first = await startLocalService(t, { folder, config: generous });
  const sent = sendMany(first.ports.mx, { connections: 50, messages: many });
  await eventually('a third of them is through', () => sent.accepted.size > many / 3);
  await first.kill();
  await sent.finished;
  assert.ok(sent.accepted.size < many, 'it was killed in the middle');

  const second = await startLocalService(t, { folder, config: generous });
  const rest = sendMany(second.ports.mx, { connections: 10, messages: 100 });
  await rest.finished;
  assert.equal(rest.accepted.size, 100);
  await drained(second);
  const listed = await allMessages(second);
  const ids = listed.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'no id twice');
  const subjects = new Map<string, string[]>();
  for (const { id, subject } of listed) subjects.set(subject, [...(subjects.get(subject) ?? []), id]);
  for (const [subject, id] of [...sent.accepted, ...rest.accepted]) {
    assert.deepEqual(subjects.get(subject), [id], `${subject} is there once, under the id that the 250 named`);
  }
  const queues: any[] = await second.json('/api/queues');
  assert.deepEqual(
    queues.map(({ dead }) => dead),
    [0, 0, 0, 0, 0],
  );
  assert.equal(await second.stop(), 0);
});

const generous = { limits: { connectionsPerIp: 200, messagesPerMinutePerIp: 1_000_000 } };

/** Sends over several connections until all are sent or the server is gone; notes the id that each 250 named. */
function sendMany(port: number, { connections, messages }: { connections: number; messages: number }) {
  const accepted = new Map<string, string>();
  const tag = randomBytes(4).toString('hex');
  let next = 0;
  const send = async (): Promise<void> => {
    const smtp = await rawSmtp(port);
    await smtp.command('EHLO mx.sender.example');
    while (next < messages) {
      const subject = `${tag}-${next++}`;
      const content = Buffer.from(`Subject: ${subject}\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(1_000, 'y').concat('\r\n'));
      const reply = await sendRaw(smtp, { to: ['bob@receiver.example'], content });
      if (reply.startsWith('250')) accepted.set(subject, idOf(reply));
    }
    smtp.close();
  };
  const finished = Promise.allSettled(Array.from({ length: connections }, send)).then(() => {});
  return { accepted, finished };
}

function idOf(reply: string): string {
  return /[0-9A-HJKMNP-TV-Z]{26}/.exec(reply)?.[0] ?? '';
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** All octets but NUL, CR and LF. */
function everyOctet(): Uint8Array {
  return Uint8Array.from(
    Array.from({ length: 256 }, (_, octet) => octet).filter((octet) => ![0, 10, 13].includes(octet)),
  );
}

function lines(bytes: number): Buffer {
  return Buffer.from(`${'0123456789'.repeat(7)}\r\n`.repeat(Math.ceil(bytes / 72)));
}

function endedByLine(content: Uint8Array): Uint8Array {
  const text = Buffer.from(content);
  return text.subarray(-2).equals(Buffer.from('\r\n')) ? text : Buffer.concat([text, Buffer.from('\r\n')]);
}
