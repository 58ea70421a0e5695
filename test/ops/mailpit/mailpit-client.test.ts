// Mailpit's npm client against our server, as its README uses it, and with each call it has for what is here.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { MailpitClient } from 'mailpit-api';
import { createTransport } from 'nodemailer';
import { type MailServer, startMail } from '#testing/exports.ts';

describe('mailpit-api', () => {
  let mail: MailServer;
  let mailpit: MailpitClient;
  before(async () => {
    mail = await startMail();
    mailpit = new MailpitClient(mail.http);
  });
  after(() => mail.stop());
  beforeEach(async () => {
    await mailpit.deleteMessages();
  });
  const send = (Subject: string, to = 'rec@example.test', changes = {}) =>
    mailpit.sendMessage({ From: { Email: 'user@example.test' }, To: [{ Email: to }], Subject, ...changes });

  test('its README: send, list, delete', async () => {
    const { ID } = await send('Test Email');
    const { messages, messages_count, total, unread } = await mailpit.listMessages();
    assert.deepEqual(
      [messages_count, total, unread, messages[0]?.ID, messages[0]?.Subject],
      [1, 1, 1, ID, 'Test Email'],
    );
    assert.equal(await mailpit.deleteMessages(), 'ok');
    assert.equal((await mailpit.listMessages()).total, 0);
  });

  test('its README: the mail of an app that signs somebody up is waited for', async () => {
    const waiting = mailpit.waitForMessage({ query: 'subject:Welcome to Our App' }, { interval: 20 });
    await createTransport(mail.smtp.url).sendMail({
      from: 'no-reply@your-app.test',
      to: 'test@example.test',
      subject: 'Welcome to Our App',
      text: 'Hello',
    });
    const message = await waiting;
    assert.equal(message.To[0]?.Address, 'test@example.test');
    assert.equal(message.From.Address, 'no-reply@your-app.test');
    assert.equal(message.Subject, 'Welcome to Our App');
    assert.equal(message.Text.trim(), 'Hello');
  });

  test('a message has its parts, headers, source and texts, and is read once it was shown', async () => {
    const { ID } = await mailpit.sendMessage({
      From: { Email: 'ann@a.test', Name: 'Ann "A" Example' },
      To: [{ Email: 'bob@b.test', Name: 'Bob' }],
      Cc: [{ Email: 'carl@c.test' }],
      Bcc: ['dan@d.test'],
      ReplyTo: [{ Email: 'desk@a.test' }],
      Subject: 'Grüße',
      Text: 'Hello Bob',
      HTML: '<p>Hello <img src="cid:logo"></p>',
      Headers: { 'X-Campaign': 'spring' },
      Tags: ['one', 'two'],
      Attachments: [
        { Filename: 'a.csv', ContentType: 'text/csv', Content: Buffer.from('a;b').toString('base64') },
        { Filename: 'logo.png', ContentType: 'image/png', ContentID: 'logo', Content: 'iVBORw==' },
      ],
    });
    const [row] = (await mailpit.listMessages()).messages;
    assert.deepEqual([row?.Read, row?.Attachments, row?.Snippet, row?.Tags], [false, 1, 'Hello Bob', ['one', 'two']]);
    const message: any = await mailpit.getMessageSummary(ID);
    assert.deepEqual(message.From, { Name: 'Ann "A" Example', Address: 'ann@a.test' });
    assert.deepEqual(
      [message.To, message.Cc],
      [[{ Name: 'Bob', Address: 'bob@b.test' }], [{ Name: '', Address: 'carl@c.test' }]],
    );
    assert.deepEqual([message.Bcc, message.ReplyTo[0].Address], [[{ Name: '', Address: 'dan@d.test' }], 'desk@a.test']);
    assert.deepEqual([message.Subject, message.ReturnPath, message.Tags], ['Grüße', 'ann@a.test', ['one', 'two']]);
    assert.equal(message.HTML.trim(), '<p>Hello <img src="cid:logo"></p>');
    assert.ok(!Number.isNaN(Date.parse(message.Date)));
    const [attachment] = message.Attachments;
    assert.deepEqual([attachment.FileName, attachment.ContentType, attachment.Size], ['a.csv', 'text/csv', 3]);
    assert.deepEqual(
      Object.values(attachment.Checksums).map((text) => String(text).length),
      [32, 40, 64],
    );
    assert.equal(message.Inline[0].ContentID, 'logo');
    const blob = await mailpit.getMessageAttachment(ID, attachment.PartID);
    assert.equal(await blob.text(), 'a;b');
    assert.deepEqual((await mailpit.getMessageHeaders(ID))['X-Campaign'], ['spring']);
    assert.match(await mailpit.getMessageSource('latest'), /^Received: [\s\S]*\r\nX-Campaign: spring\r\n/);
    assert.equal((await mailpit.listMessages()).messages[0]?.Read, true);
    const shown = await Promise.all(['html', 'txt'].map((kind) => fetch(`${mail.http}/view/latest.${kind}`)));
    assert.match((await shown[0]?.text()) ?? '', /<p>Hello <img/);
    assert.match((await shown[1]?.text()) ?? '', /^Hello Bob/);
  });

  test('read state by id, by search, of all', async () => {
    const { ID } = await send('First');
    await send('Second');
    const unread = async () =>
      (await mailpit.listMessages()).messages.filter(({ Read }) => !Read).map(({ Subject }) => Subject);
    await mailpit.setReadStatus({ IDs: [ID], Read: true });
    assert.deepEqual(await unread(), ['Second']);
    await mailpit.setReadStatus({ Search: 'subject:second', Read: true });
    assert.deepEqual([await unread(), (await mailpit.listMessages()).unread], [[], 0]);
    await mailpit.setReadStatus({ Read: false });
    assert.deepEqual(await unread(), ['Second', 'First']);
  });

  test('tags are set, listed, searched, renamed and taken off', async () => {
    const { ID } = await send('Tagged');
    await send('Other');
    await mailpit.setTags({ IDs: [ID], Tags: ['work', 'new'] });
    assert.deepEqual([...(await mailpit.getTags())].sort(), ['new', 'work']);
    const found = await mailpit.searchMessages({ query: 'tag:work' });
    assert.deepEqual([found.messages_count, found.messages[0]?.Subject], [1, 'Tagged']);
    await mailpit.renameTag('work', 'play');
    assert.deepEqual([...(await mailpit.getTags())].sort(), ['new', 'play']);
    await mailpit.deleteTag('new');
    assert.deepEqual(await mailpit.getTags(), ['play']);
    assert.deepEqual((await mailpit.getInfo()).Tags, { play: 1 });
  });

  test('a mail has the tags that its sender names in X-Tags, until they are taken off', async () => {
    await createTransport(mail.smtp.url).sendMail({
      from: 'app@a.test',
      to: 'b@b.test',
      subject: 'Tagged by its sender',
      headers: { 'X-Tags': 'Sign-up, run 7!, "", run 7' },
      text: 'x',
    });
    const { ID, Tags } = await mailpit.waitForMessage({ query: 'tag:"run 7"' }, { interval: 20 });
    assert.deepEqual(Tags, ['Sign-up', 'run 7']);
    await mailpit.setTags({ IDs: [ID], Tags: [] });
    assert.deepEqual(await mailpit.getTags(), []);
  });

  test('searches, and pages of what they find', async () => {
    for (const n of [1, 2, 3]) await send(`Report ${n}`, `r${n}@example.test`);
    await send('Invoice');
    const subjects = async (query: string, start = 0, limit = 50) =>
      (await mailpit.searchMessages({ query, start, limit })).messages.map(({ Subject }) => Subject);
    assert.deepEqual(await subjects('subject:report'), ['Report 3', 'Report 2', 'Report 1']);
    assert.deepEqual(await subjects('subject:report', 1, 1), ['Report 2']);
    assert.deepEqual(await subjects('to:r2@example.test'), ['Report 2']);
    assert.deepEqual(await subjects('from:user@example.test !subject:report'), ['Invoice']);
    assert.deepEqual(await subjects('"report 1"'), ['Report 1']);
    assert.equal((await mailpit.searchMessages({ query: 'subject:report', limit: 1 })).messages_count, 3);
  });

  test('deleting by id and by search', async () => {
    const { ID } = await send('First');
    await send('Second');
    await send('Third');
    await mailpit.deleteMessages({ IDs: [ID] });
    await mailpit.deleteMessagesBySearch({ query: 'subject:second' });
    assert.deepEqual(
      (await mailpit.listMessages()).messages.map(({ Subject }) => Subject),
      ['Third'],
    );
  });

  test('chaos is set, seen, and felt by who sends', async () => {
    const set = await mailpit.setChaosTriggers({ Recipient: { ErrorCode: 550, Probability: 100 } });
    assert.deepEqual(set.Recipient, { ErrorCode: 550, Probability: 100 });
    await assert.rejects(createTransport(mail.smtp.url).sendMail({ from: 'a@a.test', to: 'b@b.test' }), /550/);
    assert.deepEqual((await mailpit.getChaosTriggers()).Sender, { ErrorCode: 451, Probability: 0 });
    await mailpit.setChaosTriggers();
    await createTransport(mail.smtp.url).sendMail({ from: 'a@a.test', to: 'b@b.test' });
    await mail.waitFor({ to: 'b@b.test' });
    assert.equal((await mailpit.getConfiguration()).ChaosEnabled, true);
  });

  test('HTML is checked by what mail programs support; links are listed, and nobody is asked for them', async (t) => {
    let asked = 0;
    const far = createServer((_, response) => {
      asked += 1;
      response.end();
    }).listen(0, '127.0.0.1');
    t.after(() => far.close());
    await once(far, 'listening');
    const link = `http://127.0.0.1:${(far.address() as AddressInfo).port}/unsubscribe?a=1&b=2`;
    const HTML = `<style>.a { display: grid; color: red }</style><p class="a"><a href="${link.replace('&', '&amp;')}">Out</a></p>`;
    const { ID } = await send('Checked', 'rec@example.test', { HTML, Text: 'See https://b.example/x.' });
    const { Total, Warnings, Platforms }: any = await mailpit.htmlCheck(ID);
    const grid = Warnings.find(({ Slug }: any) => Slug === 'css-display-grid');
    assert.equal(grid.URL, 'https://www.caniemail.com/features/css-display-grid/');
    assert.ok(grid.Results.some(({ Family, Support }: any) => Family === 'Outlook' && Support === 'no'));
    assert.equal(Math.round(grid.Score.Supported + grid.Score.Partial + grid.Score.Unsupported), 100);
    assert.ok(Total.Supported > 50 && Total.Supported < 100 && Total.Unsupported > 0, JSON.stringify(Total));
    assert.ok(Platforms.windows.includes('Outlook'));
    assert.deepEqual(await mailpit.linkCheck(ID), {
      Errors: 0,
      Links: [link, 'https://b.example/x'].map((URL) => ({ URL, StatusCode: 0, Status: 'Not requested' })),
    });
    assert.equal(asked, 0);
    await assert.rejects(
      mailpit.htmlCheck((await send('Plain', 'rec@example.test', { Text: 'x' })).ID),
      /404[\s\S]*no HTML/,
    );
  });

  test('what we do not have says so, and what to use in its place', async () => {
    const { ID } = await send('Any');
    await assert.rejects(mailpit.spamAssassinCheck(ID), /400[\s\S]*GET \/api\/messages\/ID/);
    const socket = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
      get(`${mail.http}/api/events`, { headers }, resolve).on('error', reject);
    });
    assert.equal(socket.statusCode, 501);
    assert.match((await socket.toArray()).join(''), /server-sent events.*without Upgrade/);
  });

  test('what is not there is refused', async () => {
    await assert.rejects(mailpit.getMessageSummary('01KAJ5XQ000000000000000001'), /404/);
    await assert.rejects(mailpit.getMessageSummary(), /404/);
    await assert.rejects(mailpit.sendMessage({ From: { Email: 'nobody' }, To: [], Subject: '' } as never), /400/);
  });
});
