// One message to an alias of many mailboxes: each has its JSON, as the contract says, and what they share is stored once.
import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { drained, startLocalService } from '#test/support/worlds/local-service.ts';

const mailboxes = Array.from({ length: 300 }, (_, n) => `box${n}`);
const line = `${'Grüße aus dem Käfig, '.repeat(3)}\r\n`;
const fields = Array.from({ length: 400 }, (_, n) => `X-Field-${n}: ${'value '.repeat(60)}${n}\r\n`).join('');
const text = line.repeat(Math.floor(250_000 / Buffer.byteLength(line)));
const type = (kind: string): string =>
  `Content-Type: text/${kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n`;
const content = Buffer.from(
  `From: Ann <ann@sender.example>\r\nSubject: to all\r\n${fields}MIME-Version: 1.0\r\n` +
    `Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n${type('plain')}\r\n${text}\r\n` +
    `--b\r\n${type('html')}\r\n<p>${text}</p>\r\n--b--\r\n`,
);

test('a message of 0.7 MB to an alias of 300 mailboxes takes less than four times its size, and each has the whole JSON', async (t) => {
  const folder = folderOf(t);
  const domains = {
    'receiver.example': { mailboxes, aliases: { all: mailboxes }, onDmarcFail: 'accept' as const },
    'one.example': { mailboxes: ['alone'] },
  };
  const service = await startLocalService(t, { folder, config: { mode: 'serve', hostname: 'mx.example', domains } });
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  const send = async (to: string) => {
    const reply = await sendRaw(smtp, { to: [to], content, parameters: { mail: 'BODY=8BITMIME', rcpt: '' } });
    assert.match(reply, /^250/);
    await drained(service);
    return /[0-9A-HJKMNP-TV-Z]{26}/.exec(reply)?.[0] ?? '';
  };
  const alone = await send('alone@one.example');
  const id = await send('all@receiver.example');
  smtp.close();
  const query = (mailbox: string): string => `/api/messages/${id}?mailbox=${encodeURIComponent(mailbox)}`;
  const textOf = async (path: string): Promise<string> => (await fetch(`${service.http}${path}`)).text();
  const single = await textOf(`/api/messages/${alone}`);
  for (const name of ['box0', 'box199', 'box200', 'box299']) {
    const json = await textOf(query(`${name}@receiver.example`));
    const { mailbox, envelope } = JSON.parse(json);
    assert.deepEqual(mailbox, { domain: 'receiver.example', localPart: name, tag: null });
    assert.equal(envelope.forwardPath, 'all@receiver.example');
    assert.deepEqual(Object.keys(JSON.parse(json)), Object.keys(JSON.parse(single)));
    assert.equal(json, JSON.stringify(JSON.parse(json)), 'as it would be written in one piece');
    for (const part of ['text', 'html', 'from', 'subject', 'session'] as const) {
      assert.deepEqual(JSON.parse(json)[part], JSON.parse(single)[part], part);
    }
  }
  const { messages } = await service.json(`/api/messages?q=${encodeURIComponent('käfig ann')}`);
  assert.deepEqual(
    messages.map((message: any) => [message.id, message.mailboxes.length, message.subject]),
    [
      [id, 300, 'to all'],
      [alone, 1, 'to all'],
    ],
  );
  assert.equal(await service.stop(), 0);
  // Both messages: raw as files, and their JSON.
  const stored = bytesBelow(join(folder, 'data'));
  assert.ok(stored < 2 * 4 * content.length, `${(stored / content.length).toFixed(1)} times ${content.length} bytes`);
});

function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce(
    (sum, name) => sum + statSync(join(folder, name)).size,
    0,
  );
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
