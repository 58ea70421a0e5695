// `pillarbox/testing` as a test of somebody's app uses it: real SMTP in, typed messages out.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createTransport, type SendMailOptions } from 'nodemailer';
import { connectMail, isMailTimeout, type MailServer, startMail } from '#testing/exports.ts';

// Servers keep their mail in a folder for temporary files: here in one of our own, to see what stays of it.
process.env['TMPDIR'] = await mkdtemp(join(tmpdir(), 'test-mail-'));
after(() => rm(tmpdir(), { recursive: true }));

describe('a server within the test', () => {
  let mail: MailServer;
  const send = (message: SendMailOptions) =>
    createTransport(mail.smtp.url).sendMail({ from: 'App <app@shop.example>', ...message });
  before(async () => {
    mail = await startMail();
  });
  after(() => mail.stop());

  test('a message is there with all that a test looks at', async () => {
    const to = mail.mailbox('ann');
    const waiting = to.waitFor({ from: 'app@shop', subject: 'welcome' });
    await send({
      to: `Ann <${to.address}>`,
      cc: 'boss@shop.example',
      replyTo: 'desk@shop.example',
      subject: 'Welcome, Ann',
      headers: { 'X-Campaign': 'Grüße' },
      text: 'Your code is 482 913. Or: https://shop.example/confirm?c=482913.',
      html: '<p>Your code is <b>482913</b>: <a href="https://shop.example/confirm?c=482913&amp;x=1">confirm</a></p>',
      attachments: [{ filename: 'terms.csv', content: 'a;b\r\n1;2\r\n', contentType: 'text/csv' }],
    });
    const message = await waiting;
    assert.equal(message.recipient, to.address);
    assert.deepEqual([message.from?.name, message.from?.address], ['App', 'app@shop.example']);
    assert.deepEqual([message.to[0]?.name, message.to[0]?.address], ['Ann', to.address]);
    assert.deepEqual([message.cc[0]?.address, message.replyTo[0]?.address], ['boss@shop.example', 'desk@shop.example']);
    assert.deepEqual([message.subject, message.code], ['Welcome, Ann', '482913']);
    const links = ['https://shop.example/confirm?c=482913&x=1', 'https://shop.example/confirm?c=482913'];
    assert.deepEqual(message.links, links);
    assert.match(message.text ?? '', /^Your code is 482 913/);
    assert.match(message.html ?? '', /^<p>Your code is <b>/);
    assert.deepEqual([message.headers.get('x-campaign'), message.headers.get('x-none')], ['Grüße', null]);
    assert.deepEqual(message.headers.all('SUBJECT'), ['Welcome, Ann']);
    const [attachment] = message.attachments;
    assert.deepEqual([attachment?.filename, attachment?.contentType], ['terms.csv', 'text/csv']);
    assert.equal(attachment?.text(), 'a;b\r\n1;2\r\n');
    assert.match(Buffer.from(await message.raw()).toString(), /^Received: [\s\S]*\r\nSubject: Welcome, Ann\r\n/);
    assert.ok(Math.abs(message.receivedAt.getTime() - Date.now()) < 60_000);
  });

  test('mailboxes keep tests that run side by side apart', async () => {
    const boxes = ['one', 'one', 'two'].map((name) => mail.mailbox(name));
    assert.equal(new Set(boxes.map(({ address }) => address)).size, 3);
    await Promise.all(boxes.map(({ address }, n) => send({ to: address, subject: `For ${n}`, text: 'Hello' })));
    const got = await Promise.all(boxes.map((box) => box.waitFor()));
    assert.deepEqual(
      got.map(({ subject }) => subject),
      ['For 0', 'For 1', 'For 2'],
    );
    const [first, second] = boxes;
    assert.equal(await first?.clear(), 1);
    assert.deepEqual(await first?.messages(), []);
    assert.deepEqual(
      (await second?.messages())?.map(({ subject }) => subject),
      ['For 1'],
    );
  });

  test('a second message is waited for behind the first', async () => {
    const to = mail.mailbox();
    await send({ to: to.address, subject: 'Code', text: 'Your code is 1111' });
    const first = await to.waitFor({ subject: 'code' });
    const waiting = to.waitFor({ subject: 'code', after: first });
    await send({ to: to.address, subject: 'Code', text: 'Your code is 2222' });
    assert.deepEqual([first.code, (await waiting).code], ['1111', '2222']);
  });

  test('what does not come is told, and what came instead', async () => {
    await mail.clear();
    await send({ to: 'bob@b.example', subject: 'Invoice', text: 'Hello' });
    await mail.waitFor({ to: 'bob@b.example' });
    await assert.rejects(mail.waitFor({ to: 'ann@a.example', subject: 'Welcome', timeout: 30 }), (error) => {
      assert.ok(isMailTimeout(error));
      assert.deepEqual(error.arrived, ['"Invoice" to bob@b.example']);
      assert.match(
        error.message,
        /^No mail with to "ann@a\.example", subject "Welcome" came within 30 ms\. There is:\n {2}- "Invoice" to bob@b/,
      );
      return true;
    });
  });

  test('a message to two is one of all messages, and clear deletes it', async () => {
    await mail.clear();
    await send({ to: 'eve@a.example, bob@b.example', subject: 'Both', text: 'Hello' });
    await Promise.all(['eve@a.example', 'bob@b.example'].map((to) => mail.waitFor({ to })));
    assert.deepEqual(
      (await mail.messages()).map(({ subject }) => subject),
      ['Both'],
    );
    assert.equal(await mail.clear(), 1);
    assert.deepEqual(await mail.messages(), []);
  });

  test('a large text is there whole', async () => {
    const { address, waitFor } = mail.mailbox();
    const text = 'A line of a long text\n'.repeat(20_000);
    await send({ to: address, text });
    assert.equal((await waitFor()).text?.trimEnd(), text.trimEnd());
  });

  test('large HTML is there whole and as it was written, with its links', async () => {
    const { address, waitFor } = mail.mailbox();
    const link = 'https://shop.example/confirm?a=1&b=2';
    const html = `<p>${'A long text. '.repeat(25_000)}</p><a href="${link.replace('&', '&amp;')}">Confirm</a>`;
    await send({ to: address, html });
    const message = await waitFor();
    assert.equal(message.html?.trimEnd(), html);
    assert.deepEqual(message.links, [link]);
  });

  test('mail to an address with quotes is there like any other', async () => {
    await mail.clear();
    const attachments = [{ filename: 'a.txt', content: 'A' }];
    for (const to of ['"two words"@a.example', String.raw`"q\"uote"@a.example`]) {
      await send({ envelope: { from: 'app@shop.example', to }, subject: to, text: 'x', attachments });
      const message = await mail.waitFor({ subject: to });
      assert.deepEqual([message.recipient, message.attachments[0]?.text()], [to, 'A']);
    }
    assert.equal((await mail.messages()).length, 2);
  });

  test('another process may look at the same mail', async () => {
    await send({ to: 'ann@a.example', subject: 'Here', text: 'Hello' });
    assert.equal((await connectMail(mail.http).waitFor({ subject: 'Here' })).subject, 'Here');
  });
});

test('a port that is taken is told, and nothing stays', async () => {
  await using mail = await startMail();
  const before = await folders();
  await assert.rejects(startMail({ smtpPort: mail.smtp.port }), { code: 'EADDRINUSE' });
  assert.deepEqual(await folders(), before);
});

test('a server that does not run is told of', async () => {
  const mail = await startMail();
  await mail.stop();
  await assert.rejects(mail.messages(), /does not answer at http:\/\/127\.0\.0\.1:\d+: is it running\?/);
});

test('after stop the process ends by itself, and its folder is gone', async () => {
  const program = `
    const { startMail } = await import('#testing/exports.ts');
    const { createTransport } = await import('nodemailer');
    await using mail = await startMail();
    await createTransport(mail.smtp.url).sendMail({ from: 'a@a.example', to: 'b@b.example', subject: 'Hi', text: 'x' });
    console.log((await mail.waitFor({ to: 'b@b.example' })).subject);`;
  const before = await folders();
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 60_000,
    cwd: join(import.meta.dirname, '../..'),
  });
  const { stdout, stderr } = await run;
  assert.deepEqual([stdout, stderr], ['Hi\n', '']);
  assert.deepEqual(await folders(), before);
});

test('stopping in the middle of work is silent', async () => {
  const lines: string[] = [];
  const mail = await startMail({ onProblem: (line) => lines.push(line) });
  const transport = createTransport(mail.smtp.url);
  const big = { content: Buffer.alloc(3_000_000, 'x'), filename: 'big.txt' };
  await transport.sendMail({ from: 'a@a.example', to: 'b@b.example', attachments: [big, big, big] });
  await mail.stop();
  assert.deepEqual(lines, []);
});

async function folders(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).sort();
}

test('chaos: faults that addresses ask for, as a sender sees them; words that are none are told', async () => {
  await using mail = await startMail({ chaos: 'on' });
  const transport = createTransport(mail.smtp.url);
  const send = () => transport.sendMail({ from: 'a@shop.example', to: 'later-451-once@shop.example', text: 'hi' });
  await assert.rejects(send(), { responseCode: 451 });
  await send();
  assert.equal((await mail.waitFor()).recipient, 'later-451-once@shop.example');
  await assert.rejects(startMail({ chaos: 'rcpt-250' }), /^Error: chaos: rcpt-250: "250" is none of/);
});
