// A message given as JSON: what is written of it, who gets it, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '#mail/address/address.ts';
import { replies } from '#mail/smtp/replies.ts';
import { createOpsApp } from '#ops/api/ops-app.ts';
import { type Submit, sendMessage } from '#ops/send/send-message.ts';

type Submission = Parameters<Submit>[0];

async function send(
  body: unknown,
  outcome: Awaited<ReturnType<Submit>> = { outcome: 'accepted', id: 'ID' },
  query = '',
) {
  const submitted: Submission[] = [];
  const submit: Submit = async (submission) => {
    submitted.push(submission);
    return outcome;
  };
  const app = createOpsApp({ submit }, [{ at: 'POST /send', does: sendMessage }]);
  const answer = await app({
    method: 'POST',
    url: `/send${query}`,
    from: '192.0.2.1',
    readJson: async () => ({ json: body }),
  });
  return { status: answer.status, body: JSON.parse(String(answer.body)), submitted };
}

const least = { from: 'ann@a.example', to: ['bob@b.example'] };

test('all parts are in the message, Bcc in the envelope alone', async () => {
  const { status, body, submitted } = await send({
    from: 'Änn <ann@a.example>',
    to: ['Bob <bob@b.example>', 'eve@b.example'],
    cc: ['carl@c.example', 'bob@b.example'],
    bcc: ['dan@d.example'],
    replyTo: ['desk@a.example'],
    subject: 'Grüße',
    text: 'Hello\n.\nBye',
    html: '<p>Hello <img src="cid:logo"></p>',
    headers: { 'X-Campaign': 'spring', 'In-Reply-To': '<1@b.example>' },
    attachments: [
      { filename: 'a.txt', contentType: 'text/csv', content: Buffer.from('a,b').toString('base64') },
      { contentId: 'logo', contentType: 'image/png', content: 'iVBORw==' },
    ],
  });
  assert.deepEqual([status, body], [202, { id: 'ID' }]);
  const [{ from, recipients, message, clientAddress } = assert.fail()] = submitted;
  assert.deepEqual([formatAddress(from), clientAddress], ['ann@a.example', '192.0.2.1']);
  const all = ['bob@b.example', 'eve@b.example', 'carl@c.example', 'dan@d.example'];
  assert.deepEqual(recipients.map(formatAddress), all);
  const text = message.toString('latin1');
  assert.doesNotMatch(text, /(?<!\r)\n|dan@d/);
  for (const part of [
    /^From: =\?UTF-8\?\S+ <ann@a\.example>\r$/m,
    /^To: Bob <bob@b\.example>, eve@b\.example\r$/m,
    /^Cc: carl@c\.example, bob@b\.example\r$/m,
    /^Reply-To: desk@a\.example\r$/m,
    /^Subject: =\?UTF-8\?\S+\?=\r$/m,
    /^X-Campaign: spring\r$/m,
    /^In-Reply-To: <1@b\.example>\r$/m,
    /^Message-ID: <[^>]+@a\.example>\r$/m,
    /^Date: /m,
    /^Content-Type: text\/csv; name=a\.txt\r$/m,
    /^Content-Id: <logo>\r$/im,
    /^YSxi\r$/m,
    /^Hello\r\n\.\r\nBye/m,
  ]) {
    assert.match(text, part);
  }
});

for (const [what, changes, field] of [
  ['an address that is none', { from: 'ann' }, 'from'],
  ['two addresses in one', { to: ['a@a.example, b@b.example'] }, 'to.0'],
  ['an address behind another', { from: 'ceo@bank.example <ann@a.example>' }, 'from'],
  ['nobody', { to: [] }, 'to'],
  ['a field of the header that is made from the parts', { headers: { From: 'ceo@bank.example' } }, 'headers.From'],
  ['a header field over two lines', { headers: { 'X-A': 'b\r\nBcc: c@d.example' } }, 'headers.X-A'],
  ['content that is no base64', { attachments: [{ content: 'a b' }] }, 'attachments.0.content'],
  ['a file of this machine', { attachments: [{ path: '/etc/passwd' }] }, 'attachments.0.content'],
  ['an unknown part', { body: 'Hello' }, ''],
] as const) {
  test(`${what}: 400, and nothing is submitted`, async () => {
    const { status, body, submitted } = await send({ ...least, ...changes });
    assert.deepEqual([status, body.error.code, body.error.field, submitted], [400, 'bad-body', field, []]);
  });
}

test('what is to be captured alone is not taken by a server of real mail: 409', async () => {
  assert.equal((await send(least)).submitted[0]?.onlyCaptured, false);
  const refused = await send(least, { outcome: 'not-capture' }, '?capture=true');
  assert.deepEqual([refused.status, refused.body.error.code], [409, 'not-capture']);
  assert.equal(refused.submitted[0]?.onlyCaptured, true);
});

for (const [reply, status] of [
  [replies.senderNotAllowed, 403],
  [replies.unknownMailbox, 422],
  [replies.messageTooBig(1), 413],
  [replies.platformFault, 503],
] as const) {
  test(`what the listener says ${reply.code} to is answered ${status}, in its words`, async () => {
    const sent = await send(least, { outcome: 'refused', refusals: [{ recipient: 'bob@b.example', reply }] });
    assert.equal(sent.status, status);
    const shown = `${reply.code} ${reply.enhanced} ${reply.text}`;
    assert.deepEqual(sent.body.error.refusals, [{ recipient: 'bob@b.example', reply: shown }]);
  });
}
