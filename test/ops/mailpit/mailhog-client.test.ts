// MailHog's npm client against our server: all that its README shows but releasing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import mailhogOf from 'mailhog';
import { createTransport, type SendMailOptions } from 'nodemailer';
import { type MailServer, startMail } from '#testing/exports.ts';

describe('mailhog', () => {
  let mail: MailServer;
  let mailhog: ReturnType<typeof mailhogOf>;
  before(async () => {
    mail = await startMail();
    mailhog = mailhogOf({ host: '127.0.0.1', port: Number(new URL(mail.http).port) });
    await send({ from: 'ann@a.test', to: 'bob@b.test', subject: 'Plain', text: 'Grüße, Bob' });
    await send({
      from: 'Änn <eve@a.test>',
      to: 'carl@c.test',
      cc: 'dan@d.test',
      subject: 'Ünïcode',
      text: 'Text',
      html: '<p>Grüße',
      attachments: [{ filename: 'a.csv', content: 'a;b', contentType: 'text/csv' }],
    });
    await Promise.all(['bob@b.test', 'carl@c.test', 'dan@d.test'].map((to) => mail.waitFor({ to })));
  });
  after(() => mail.stop());
  const send = (message: SendMailOptions) => createTransport(mail.smtp.url).sendMail(message);

  test('messages, newest first, with their texts and headers', async () => {
    const { total, count, start, items = [] } = (await mailhog.messages(0, 10)) ?? {};
    assert.deepEqual([total, count, start], [2, 2, 0]);
    const [rich, plain] = items;
    assert.deepEqual(
      [plain?.subject, plain?.from, plain?.to, plain?.text?.trim()],
      ['Plain', 'ann@a.test', 'bob@b.test', 'Grüße, Bob'],
    );
    assert.deepEqual([rich?.subject, rich?.from, rich?.cc], ['Ünïcode', 'Änn <eve@a.test>', 'dan@d.test']);
    assert.deepEqual([rich?.text?.trim(), rich?.html?.trim()], ['Text', '<p>Grüße']);
    assert.ok(Math.abs(Number(rich?.deliveryDate) - Date.now()) < 60_000);
    const [attachment] = rich?.attachments ?? [];
    assert.deepEqual([attachment?.name, attachment?.type, attachment?.encoding], ['a.csv', 'text/csv', 'base64']);
    assert.equal(mailhog.decode(attachment?.Body ?? '', 'base64'), 'a;b');
    assert.equal((await mailhog.messages(1, 1))?.items[0]?.subject, 'Plain');
  });

  test('the latest from, to, and with a text', async () => {
    const subjects = await Promise.all([
      mailhog.latestFrom('ann@a.test'),
      mailhog.latestTo('dan@d.test'),
      mailhog.latestContaining('grüße, bob'),
    ]);
    assert.deepEqual(
      subjects.map((item) => item?.subject),
      ['Plain', 'Ünïcode', 'Plain'],
    );
    assert.equal((await mailhog.search('nobody@x.test', 'to'))?.count, 0);
  });

  test('header fields are decoded, whatever their encoding, and found in any case of their name', async () => {
    const raw =
      'From: a@a.test\r\nTo: raw@r.test\r\nsubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_aus?=\r\n =?utf-8?Q?_K=C3=B6ln?=\r\n\r\nx\r\n';
    await createTransport(mail.smtp.url).sendMail({ envelope: { from: 'a@a.test', to: ['raw@r.test'] }, raw });
    const { id } = await mail.waitFor({ to: 'raw@r.test' });
    assert.equal((await mailhog.latestTo('raw@r.test'))?.subject, 'Grüße aus Köln');
    const source = await fetch(`${mail.http}/api/v1/messages/${id}/download?x=1`);
    assert.match(await source.text(), /\r\nsubject: =\?utf-8/);
    await mailhog.deleteMessage(id);
  });

  test('Jim is our chaos', async () => {
    const jim = async (method: string, body?: unknown) => {
      const init = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(`${mail.http}/api/v2/jim`, {
        method,
        ...init,
        headers: { 'content-type': 'application/json' },
      });
      return { status: response.status, text: await response.text() };
    };
    assert.equal((await jim('GET')).status, 404);
    assert.deepEqual(await jim('POST'), { status: 201, text: '' });
    assert.equal(JSON.parse((await jim('GET')).text).RejectSenderChance, 0.05);
    const chances = {
      DisconnectChance: 0,
      AcceptChance: 1,
      RejectSenderChance: 0,
      RejectRecipientChance: 1,
      RejectAuthChance: 0,
    };
    assert.equal((await jim('PUT', chances)).status, 200);
    assert.deepEqual(JSON.parse((await jim('GET')).text), chances);
    await assert.rejects(send({ from: 'a@a.test', to: 'b@b.test' }), { responseCode: 550 });
    assert.equal((await jim('PUT', { AcceptChance: 2 })).status, 400);
    assert.equal((await jim('DELETE')).status, 200);
    assert.equal((await jim('GET')).status, 404);
  });

  test('releasing goes by what the configuration allows, and says so', async () => {
    const { items = [] } = (await mailhog.messages(0, 1)) ?? {};
    const config = { name: 'x', host: 'mail.example', port: '25', email: 'ann@a.test' };
    const said: any = await mailhog.releaseMessage(items[0]?.ID ?? '', config as never);
    assert.equal(said.error.code, 'release-not-allowed');
  });

  test('one is deleted, then all', async () => {
    const { items = [] } = (await mailhog.messages()) ?? {};
    assert.equal((await mailhog.deleteMessage(items[0]?.ID ?? '')).statusCode, 200);
    assert.deepEqual(
      (await mailhog.messages())?.items.map(({ subject }) => subject),
      ['Plain'],
    );
    assert.equal((await mailhog.deleteAll()).statusCode, 200);
    assert.equal((await mailhog.messages())?.count, 0);
  });
});
