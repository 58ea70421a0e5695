// Capture mode on a port that only this machine can reach: no STARTTLS, any log-in in clear or none. Nowhere else.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isLocalCapture } from '#container/log-in/local-capture.ts';
import { peerOf } from '#mail/address/peer-address.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { openSession, startTestListener } from '#test/support/worlds/start-test-listener.ts';

const capture = await startTestListener({ after }, { mode: 'capture' });

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const anyLogIn = /^250[- ]AUTH PLAIN LOGIN CRAM-MD5$/m;
const wildcard = [
  { role: 'mx' as const, port: 0, host: '0.0.0.0' },
  { role: 'submission' as const, port: 0, host: '0.0.0.0' },
];

for (const role of ['mx', 'submission', 'submissions'] as const) {
  test(`a capture server on loopback offers no STARTTLS on its ${role} port, and takes mail without a log-in`, async (t) => {
    const client = await openSession(t, capture, { role });
    assert.match(client.offers, anyLogIn);
    assert.doesNotMatch(client.offers, /STARTTLS/);
    if (role !== 'submissions') assert.match(await client.say('STARTTLS'), /^502 5\.5\.1/);
    assert.match(await client.say('MAIL FROM:<ann@sender.test> AUTH=<>'), /^250/);
    assert.match(await client.say('RCPT TO:<bob@receiver.test>'), /^250/);
    assert.match(await client.say('DATA'), /^354/);
    assert.match(await client.say('From: who@ever.test\r\n\r\nhi\r\n.'), /^250/);
    const session = capture.intake.messages.at(-1)?.job.envelope.session;
    assert.deepEqual([session?.role, session?.user], [role, null]);
  });
}

test('with a certificate configured STARTTLS is offered too, and a log-in is taken before and after it', async (t) => {
  const tls = { certificate: 'secret:certificate', key: 'secret:key' };
  const listener = await startTestListener(t, { mode: 'capture', tls });
  const client = await openSession(t, listener);
  assert.match(client.offers, /STARTTLS/);
  assert.match(client.offers, anyLogIn);
  assert.match(await client.say('STARTTLS'), /^220/);
  await client.startTls();
  assert.match(await client.say('EHLO client.test'), anyLogIn);
  assert.match(await client.say(`AUTH PLAIN ${base64('\0app\0any')}`), /^235/);
});

for (const [title, config, deps] of [
  ['bound to all addresses', { mode: 'capture', listeners: wildcard }, {}],
  ['that serves', { mode: 'serve', listeners: wildcard.map((one) => ({ ...one, host: '127.0.0.1' })) }, {}],
] as const) {
  test(`a server ${title} takes passwords under TLS and on its submission port only`, async (t) => {
    const listener = await startTestListener(t, config as unknown as ConfigInput, deps);
    const mx = await openSession(t, listener);
    assert.match(mx.offers, /STARTTLS/);
    assert.doesNotMatch(mx.offers, /AUTH/);
    assert.match(await mx.say(`AUTH PLAIN ${base64('\0app\0any')}`), /^502/);
    const submission = await openSession(t, listener, { role: 'submission' });
    assert.match(submission.offers, /STARTTLS/);
    assert.doesNotMatch(submission.offers, /AUTH/);
    assert.match(await submission.say(`AUTH PLAIN ${base64('\0app\0any')}`), /^538/);
    assert.match(await submission.say('MAIL FROM:<a@b.test>'), /^530/);
    assert.match(await submission.say('STARTTLS'), /^220/);
    await submission.startTls();
    assert.match(await submission.say('EHLO client.test'), /^250[- ]AUTH PLAIN LOGIN$/m);
    assert.match(await submission.say('AUTH CRAM-MD5'), /^504/);
    assert.match(await submission.say('MAIL FROM:<a@b.test>'), /^530/);
  });
}

for (const [mode, isLocalPort, peer, anyLogin, expected] of [
  ['capture', true, '127.0.0.1', false, true],
  ['capture', true, '::1', false, true],
  ['capture', true, '::ffff:127.0.0.1', false, true],
  ['capture', true, '192.0.2.1', false, false],
  ['capture', false, '127.0.0.1', false, false],
  ['capture', false, '192.0.2.1', true, true],
  ['serve', true, '127.0.0.1', false, false],
  ['serve', false, '192.0.2.1', true, false],
] as const) {
  const how = `${mode}, a ${isLocalPort ? 'local' : 'public'} port${anyLogin ? ', --any-login' : ''} and ${peer}`;
  test(`${how}: ${expected ? 'any log-in will do' : 'as everywhere'}`, () => {
    const config = configSchema.parse({ mode });
    const client = { peer: peerOf(peer), hangUp: () => {}, flush: () => {} };
    assert.equal(isLocalCapture({ config, client, shared: { isLocalPort, anyLogin } }), expected);
  });
}

const digest = '9'.repeat(32);
const exchanges: readonly {
  readonly title: string;
  readonly steps: readonly (readonly [string, RegExp])[];
  readonly user?: string;
}[] = [
  { title: 'PLAIN in one line', steps: [[`AUTH PLAIN ${base64('\0app\0any')}`, /^235/]], user: 'app' },
  {
    title: 'PLAIN with an answer',
    steps: [
      ['AUTH PLAIN', /^334$/],
      [base64('\0app\0any'), /^235/],
    ],
    user: 'app',
  },
  { title: 'PLAIN for somebody else', steps: [[`AUTH PLAIN ${base64('boss\0app\0any')}`, /^235/]], user: 'app' },
  { title: 'PLAIN with an empty password', steps: [[`auth plain ${base64('\0app\0')}`, /^235/]], user: 'app' },
  { title: 'PLAIN with an empty name', steps: [[`AUTH PLAIN ${base64('\0\0any')}`, /^235/]], user: '' },
  {
    title: 'PLAIN with an empty answer',
    steps: [
      ['AUTH PLAIN', /^334/],
      ['', /^501 5\.5\.2/],
    ],
  },
  { title: 'PLAIN with =', steps: [['AUTH PLAIN =', /^501 5\.5\.2/]] },
  {
    title: 'PLAIN, given up',
    steps: [
      ['AUTH PLAIN', /^334/],
      ['*', /^501 5\.7\.0/],
    ],
  },
  { title: 'PLAIN with something else than base64', steps: [['AUTH PLAIN ?', /^501 5\.5\.2/]] },
  {
    title: 'LOGIN',
    steps: [
      ['AUTH LOGIN', /^334 VXNlcm5hbWU6/],
      [base64('app'), /^334 UGFzc3dvcmQ6/],
      [base64('any'), /^235/],
    ],
    user: 'app',
  },
  {
    title: 'LOGIN with the name in the first line',
    steps: [
      [`AUTH LOGIN ${base64('app')}`, /^334/],
      ['', /^235/],
    ],
    user: 'app',
  },
  {
    title: 'LOGIN with empty answers',
    steps: [
      ['AUTH LOGIN', /^334/],
      ['', /^334/],
      ['', /^235/],
    ],
    user: '',
  },
  {
    title: 'LOGIN, given up at the password',
    steps: [
      ['AUTH LOGIN', /^334/],
      [base64('app'), /^334/],
      ['*', /^501 5\.7\.0/],
    ],
  },
  {
    title: 'CRAM-MD5',
    steps: [
      ['AUTH CRAM-MD5', /^334 P[DG]/],
      [base64(`app ${digest}`), /^235/],
    ],
    user: 'app',
  },
  {
    title: 'CRAM-MD5 of a name with a blank',
    steps: [
      ['AUTH CRAM-MD5', /^334/],
      [base64(`my app ${digest}`), /^235/],
    ],
    user: 'my app',
  },
  {
    title: 'CRAM-MD5 with an empty answer',
    steps: [
      ['AUTH CRAM-MD5', /^334/],
      ['', /^501 5\.5\.2/],
    ],
  },
  {
    title: 'CRAM-MD5, given up',
    steps: [
      ['AUTH CRAM-MD5', /^334/],
      ['*', /^501 5\.7\.0/],
    ],
  },
  { title: 'CRAM-MD5, which the server begins', steps: [[`AUTH CRAM-MD5 ${base64(`app ${digest}`)}`, /^501/]] },
  {
    title: 'a second log-in',
    steps: [
      [`AUTH PLAIN ${base64('\0app\0any')}`, /^235/],
      ['AUTH LOGIN', /^503/],
    ],
    user: 'app',
  },
  { title: 'another mechanism', steps: [['AUTH XOAUTH2 x', /^504/]] },
];
for (const { title, steps, user } of exchanges) {
  test(`AUTH on a capture server, ${title}: ${user === undefined ? 'is refused, and the session goes on' : `logs "${user}" in`}`, async (t) => {
    const client = await openSession(t, capture);
    for (const [line, reply] of steps) assert.match(await client.say(line), reply);
    client.write('MAIL FROM:<ann@sender.test>\r\nRCPT TO:<bob@receiver.test>\r\nDATA\r\n');
    for (let replies = 0; replies < 3; replies++) assert.match((await client.reply()) ?? '', /^[23]5/);
    assert.match(await client.say('Subject: x\r\n\r\nhi\r\n.'), /^250/);
    const { job, raw } = capture.intake.messages.at(-1)!;
    assert.equal(job.envelope.session.user, user ?? null);
    assert.match(raw.toString(), user === undefined ? /with\s+ESMTP\s/ : /with\s+ESMTPA\s/);
  });
}

test('no password and no digest is kept or logged', () => {
  const kept = JSON.stringify([capture.intake.messages.map(({ job, raw }) => [job, raw.toString()]), capture.log]);
  // As words: four letters of a message id may be those of a secret by chance.
  const words = new Set(kept.split(/[^\w+/=]+/));
  for (const secret of ['any', base64('any'), digest, base64('\0app\0any')]) assert.ok(!words.has(secret), secret);
});

test('users that are configured are held to their passwords in capture mode too', async (t) => {
  const users = [{ name: 'app', password: openSesameHash, mayFrom: ['*@*'] }];
  const listener = await startTestListener(t, { mode: 'capture', users });
  const client = await openSession(t, listener);
  assert.match(client.offers, /^250[- ]AUTH PLAIN LOGIN$/m);
  assert.match(await client.say('AUTH CRAM-MD5'), /^504/);
  assert.match(await client.say(`AUTH PLAIN ${base64('\0app\0any')}`), /^535/);
  assert.match(await client.say(`AUTH PLAIN ${base64('\0app\0open sesame')}`), /^235/);
});

test('whoever logged in without a password being looked at is nobody once the server serves', async (t) => {
  const listener = await startTestListener(t, { mode: 'capture' });
  const client = await openSession(t, listener, { role: 'submissions' });
  assert.match(await client.say(`AUTH PLAIN ${base64('\0app\0any')}`), /^235/);
  listener.config.change({ mode: 'serve', hostname: 'mx.example.test' });
  assert.match(await client.say('MAIL FROM:<ann@sender.test>'), /^421 4\.7\.0/);
});
