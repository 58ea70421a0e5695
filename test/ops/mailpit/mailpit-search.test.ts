// Searches as Mailpit's users write them, in our words; and what they find.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTransport, type SendMailOptions } from 'nodemailer';
import { isProblem } from '#mail/problem.ts';
import { fromMailpitSearch } from '#ops/mailpit/mailpit-search.ts';
import { parseSearch } from '#ops/messages/search-query.ts';
import { type MailServer, startMail } from '#testing/exports.ts';

for (const [theirs, ours] of [
  ['subject:Welcome to Our App', 'subject:"Welcome" to Our App'],
  ['from:ann@a.test !is:read -tag:work', 'from:"ann@a.test" -is:read -tag:"work"'],
  ['cc:bob !bcc:"Carl C"', 'header:"Cc~bob" -to:"Carl C"'],
  ['addressed:x@y.test', 'address:"x@y.test"'],
  ['reply-to:"the desk"', 'header:"Reply-To~the desk"'],
  ['message-id:<1@a.test> message-id:1', 'header:"Message-ID=<1@a.test" header:"Message-ID~1"'],
  ['"hello! cc: you" Re: 12:30', '"hello! cc: you" "re:" 12:30'],
  ['subject: is:new larger:huge', '"is:new" "larger:huge"'],
  ['larger:2M smaller:3mb - !', 'larger:2M smaller:3mb'],
] as const) {
  test(`${theirs} is ${ours}`, () => {
    const { q, keeps } = fromMailpitSearch(theirs);
    assert.deepEqual([q, keeps], [ours, null]);
    const read = parseSearch(q);
    assert.ok(!isProblem(read), JSON.stringify(read));
  });
}

for (const [written, tz, at] of [
  ['2026/11/27', undefined, '2026-11-27T00:00:00.000Z'],
  ['2026-11-27', 'Pacific/Auckland', '2026-11-26T11:00:00.000Z'],
  ['"2026-07-01 08:30"', 'America/Chicago', '2026-07-01T13:30:00.000Z'],
  ['2026-11-27T08:00:00+01:00', 'America/Chicago', '2026-11-27T07:00:00.000Z'],
  ['"27 Nov 2026"', 'Europe/Berlin', '2026-11-26T23:00:00.000Z'],
  ['2026-11-27', 'Nowhere/Town', '2026-11-27T00:00:00.000Z'],
] as const) {
  test(`after:${written} in ${tz ?? 'no time zone'} is from ${at} on`, () => {
    assert.equal(fromMailpitSearch(`after:${written}`, tz).q, `after:"${at}"`);
    assert.ok(!isProblem(parseSearch(`after:"${at}"`)));
  });
}

describe('what they find', () => {
  let mail: MailServer;
  before(async () => {
    mail = await startMail();
    const transport = createTransport(mail.smtp.url);
    const logo = { filename: 'l.png', content: 'x', contentType: 'image/png', cid: 'l' };
    const mails: readonly (SendMailOptions & { readonly subject: string })[] = [
      { subject: 'plain', to: 'Bob <bob@b.test>', cc: 'Carl C <carl@c.test>', messageId: '<m1@a.test>', text: 'a b' },
      {
        subject: 'logo',
        to: 'dan@d.test',
        html: '<img src="cid:l">',
        attachments: [{ ...logo, contentDisposition: 'inline' }],
      },
      {
        subject: 'file',
        to: 'dan@d.test',
        bcc: 'eve@e.test',
        replyTo: 'Desk <desk@a.test>',
        attachments: [{ filename: 'a.txt', content: 'a' }],
      },
    ];
    for (const one of mails) await transport.sendMail({ from: 'Ann <ann@a.test>', ...one });
    await Promise.all(mails.map(({ subject }) => mail.waitFor({ subject })));
    const { id } = await mail.waitFor({ subject: 'file' });
    await fetch(`${mail.http}/api/messages/${id}/tags?tags=Work`, { method: 'POST' });
    await fetch(`${mail.http}/api/messages/${id}/read`, { method: 'POST' });
  });
  after(() => mail.stop());
  const asked = async (query: string, method = 'GET'): Promise<any> => {
    const response = await fetch(`${mail.http}/api/v1/search?limit=1&query=${encodeURIComponent(query)}`, { method });
    return method === 'GET' ? response.json() : response.text();
  };

  for (const [query, count] of [
    ['cc:carl@c.test', 1],
    ['cc:"carl c"', 1],
    ['to:bob', 1],
    ['bcc:eve', 1],
    ['reply-to:desk@a.test', 1],
    ['addressed:ann', 3],
    ['addressed:carl', 1],
    ['message-id:m1@a.test', 1],
    ['message-id:a.test', 3],
    ['is:tagged', 1],
    ['!is:tagged', 2],
    ['tag:work', 1],
    ['is:unread', 2],
    ['has:inline', 1],
    ['!has:inline', 2],
    ['has:attachment', 1],
    ['-has:attachments', 2],
    ['has:inlines dan', 1],
    ['larger:1k', 0],
    ['smaller:1k -plain', 2],
    ['before:2020-01-01', 0],
    ['after:2020-01-01 from:ann', 3],
    ['"a b"', 1],
    ['nothing:here', 0],
  ] as const) {
    test(`${query}: ${count}`, async () => {
      const found = await asked(query);
      assert.deepEqual([found.messages_count, found.messages.length, found.total], [count, Math.min(1, count), 3]);
    });
  }

  test('all that is unread of what is found is counted, not of the page alone', async () => {
    assert.equal((await asked('from:ann')).messages_unread, 2);
  });

  test('what is found by what is attached is deleted, and nothing else', async () => {
    assert.equal(await asked('has:inline', 'DELETE'), 'ok');
    assert.deepEqual(
      (await mail.messages()).map(({ subject }) => subject),
      ['file', 'plain'],
    );
  });
});
