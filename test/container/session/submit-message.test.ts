// What the operator hands in without SMTP goes by the rules of a submission port, and makes nobody a relay.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EmailAddress, parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { shownReply } from '#mail/smtp/reply.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { startTestListener, testConfig } from '#test/support/worlds/start-test-listener.ts';

const serving: ConfigInput = {
  ...testConfig,
  users: [{ name: 'shop', password: 'scrypt:none', mayFrom: ['shop@partner.test'] }],
};

function address(text: string): EmailAddress {
  const read = parseAddress(text);
  if (isProblem(read)) throw new Error(text);
  return read;
}

function submission(from: string, to: readonly string[], changes: { author?: string; size?: number } = {}) {
  const body = 'x'
    .repeat(70)
    .concat('\r\n')
    .repeat(Math.ceil((changes.size ?? 1) / 72));
  const message = Buffer.from(`From: ${changes.author ?? from}\r\nSubject: Hello\r\n\r\n${body}`);
  return { from: address(from), recipients: to.map(address), message, clientAddress: '127.0.0.1', onlyCaptured: false };
}

for (const { mode, from, author, user } of [
  { mode: 'serve', from: 'anybody@example.test', user: 'ops API' },
  { mode: 'serve', from: 'root@mx.example.test', user: 'ops API' },
  { mode: 'serve', from: 'shop@partner.test', user: 'shop' },
  { mode: 'serve', from: 'other@partner.test', user: 'refused' },
  { mode: 'serve', from: 'anybody@example.test', author: 'ceo@bank.test', user: 'refused' },
  { mode: 'capture', from: 'anybody@elsewhere.test', user: null },
] as const) {
  test(`${mode}: from ${author ?? from} ${user === 'refused' ? 'is refused' : `goes out as ${user}`}`, async (t) => {
    const { listener, intake } = await startTestListener(t, { ...serving, mode });
    const submitted = await listener.submit(
      submission(from, ['carl@far.test'], author === undefined ? {} : { author }),
    );
    assert.equal(submitted.outcome, user === 'refused' ? 'refused' : 'accepted');
    const jobs = intake.messages.map(({ job }) => job.envelope);
    assert.deepEqual(
      jobs.map(({ session, recipients }) => [session.role, session.user, recipients[0]?.route.kind]),
      user === 'refused' ? [] : [['submission', user, mode === 'capture' ? 'mailbox' : 'relay']],
    );
  });
}

for (const mode of ['serve', 'capture'] as const) {
  test(`${mode}: what is to be captured alone is ${mode === 'serve' ? 'not taken' : 'taken'}`, async (t) => {
    const { listener, intake } = await startTestListener(t, { ...serving, mode });
    const submitted = await listener.submit({
      ...submission('anybody@example.test', ['carl@far.test']),
      onlyCaptured: true,
    });
    assert.equal(submitted.outcome, mode === 'serve' ? 'not-capture' : 'accepted');
    assert.equal(intake.messages.length, mode === 'serve' ? 0 : 1);
  });
}

test('what is given with the message is stored as it is behind the Received field, under the id that is told', async (t) => {
  const { listener, intake } = await startTestListener(t, serving);
  const given = submission('support@example.test', ['info@example.test', 'carl@far.test']);
  const submitted = await listener.submit(given);
  const [{ job, raw }] = intake.messages as any;
  assert.deepEqual(submitted, { outcome: 'accepted', id: job.id });
  assert.match(String(raw), /^Received: from ops-api \(\[127\.0\.0\.1\]\)[\s\S]*\r\nFrom: support@example\.test\r\n/);
  assert.ok(String(raw).endsWith(String(given.message.subarray(given.message.indexOf('\r\n\r\n')))));
});

test('one recipient that is refused: nothing is stored, and all that are refused are named', async (t) => {
  const { listener, intake } = await startTestListener(t, serving, {
    suppressions: async ({ localPart }) =>
      localPart === 'gone' ? { outcome: 'suppressed', reason: '550 no such user' } : { outcome: 'written' },
  });
  const submitted: any = await listener.submit(
    submission('a@example.test', ['support@example.test', 'nobody@example.test', 'gone@far.test']),
  );
  assert.deepEqual(
    submitted.refusals.map(({ recipient, reply }: any) => `${recipient} ${shownReply(reply)}`),
    [
      'nobody@example.test 550 5.1.1 No such mailbox here: nobody',
      'gone@far.test 550 5.1.1 The address is suppressed: 550 no such user',
    ],
  );
  assert.deepEqual(intake.messages, []);
});

for (const [what, limits, code] of [
  ['recipients', { recipients: 1 }, 452],
  ['bytes', { messageBytes: 2_000 }, 552],
  ['messages a minute', { messagesPerMinutePerUser: 1 }, 450],
] as const) {
  test(`too many ${what} are refused as over SMTP`, async (t) => {
    const { listener } = await startTestListener(t, { ...serving, limits });
    const given = submission('a@example.test', ['b@far.test', 'c@far.test'], { size: 3_000 });
    if (what === 'messages a minute') await listener.submit(given);
    const submitted: any = await listener.submit(given);
    assert.equal(submitted.refusals[0].reply.code, code);
  });
}
