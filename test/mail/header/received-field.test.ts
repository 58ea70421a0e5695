import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatReceivedField, type ReceivedSession } from '#mail/header/received-field.ts';

const session: ReceivedSession = {
  role: 'mx',
  clientIp: '192.0.2.7',
  clientName: 'out.sender.example',
  helo: 'mail.sender.example',
  tls: null,
  user: null,
};
const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };
const facts = {
  session,
  hostname: 'mx.example.org',
  id: '01JD0000000000000000000000',
  receivedAt: '2026-11-21T03:04:05.678Z',
  forRecipient: 'a@example.org',
  smtpUtf8: false,
};
const field = (changes: Partial<ReceivedSession> = {}, more: Partial<typeof facts & { esmtp: boolean }> = {}) =>
  formatReceivedField({ ...facts, ...more, session: { ...session, ...changes } });
const unfolded = (text: string) => text.replace(/\r\n (?=\S)/g, ' ');

test('the field says who, by whom, how, which, for whom and when (RFC 5321 §4.4)', () => {
  assert.equal(
    field({ tls }),
    'Received: from mail.sender.example (out.sender.example [192.0.2.7])\r\n' +
      ' by mx.example.org (Pillarbox) with ESMTPS id 01JD0000000000000000000000\r\n' +
      ' (TLSv1.3 TLS_AES_256_GCM_SHA384) for <a@example.org>;\r\n' +
      ' Sat, 21 Nov 2026 03:04:05 +0000\r\n',
  );
});

describe('the with word (RFC 3848, RFC 6531 §4.3)', () => {
  const rows = [
    { word: 'SMTP', changes: {}, more: { esmtp: false } },
    { word: 'ESMTP', changes: {}, more: {} },
    { word: 'ESMTPS', changes: { tls }, more: {} },
    { word: 'ESMTPA', changes: { user: 'u' }, more: {} },
    { word: 'ESMTPSA', changes: { tls, user: 'u' }, more: {} },
    { word: 'UTF8SMTP', changes: {}, more: { smtpUtf8: true } },
    { word: 'UTF8SMTPSA', changes: { tls, user: 'u' }, more: { smtpUtf8: true } },
  ];
  for (const { word, changes, more } of rows) {
    test(word, () => assert.match(field(changes, more), new RegExp(` with ${word} id `)));
  }
});

test('an IPv6 client, a missing name, a mapped IPv4 address are written as literals', () => {
  assert.match(field({ clientIp: '2001:db8::1', clientName: null }), /\(\[IPv6:2001:db8::1\]\)/);
  assert.match(field({ clientIp: '::ffff:192.0.2.9', clientName: null }), /\(\[192\.0\.2\.9\]\)/);
});

test('the user is named, without a way out of the comment', () => {
  assert.match(field({ user: 'app@example.org' }), /\(authenticated as app@example\.org\)/);
  assert.match(unfolded(field({ user: 'a)b(c\\d\r\nX: y' })), /\(authenticated as a\?b\?c\?d\?\?X: y\)/);
});

test('without a single recipient there is no for clause; one beyond ASCII is named only with SMTPUTF8', () => {
  const more = { forRecipient: null as never };
  assert.doesNotMatch(field({}, more), / for /);
  assert.doesNotMatch(field({}, { forRecipient: 'ü@example.org' }), / for /);
  assert.match(field({}, { forRecipient: 'ü@example.org', smtpUtf8: true }), / for <ü@example\.org>;/);
});

test('mail of the service itself comes from the service itself', () => {
  const internal = field({ role: 'internal', clientIp: null, clientName: null, helo: null });
  assert.match(unfolded(internal), /^Received: from mx\.example\.org by mx\.example\.org \(Pillarbox\) id /);
});

test('a hostile HELO is one harmless word', () => {
  assert.match(field({ helo: 'x) (y\r\nSubject: z' }), /^Received: from xySubjectz \(/);
  assert.match(field({ helo: '\r\n' }), /^Received: from unknown \(/);
  assert.match(field({ helo: '[192.0.2.1]' }), /^Received: from \[192\.0\.2\.1\] \(/);
  assert.match(field({ helo: 'bücher.example' }), /^Received: from xn--bcher-kva\.example/);
});

test('what is very long is cut', () => {
  const text = field({
    helo: 'h'.repeat(9_000),
    user: 'u'.repeat(9_000),
    tls: { version: 'v'.repeat(9_000), cipher: '' },
  });
  assert.ok(text.split('\r\n').every((line) => line.length <= 300));
});

test('whatever the peer says, it is one ASCII field with lines that may travel', () => {
  const anything = fc.string({ unit: 'binary', maxLength: 2_000 });
  fc.assert(
    fc.property(anything, anything, anything, anything, (helo, clientName, user, cipher) => {
      const text = field(
        { helo, clientName, user, clientIp: helo, tls: { version: user, cipher } },
        { forRecipient: helo },
      );
      assert.match(text, /^[ -~]+(?:\r\n [ -~]+)*\r\n$/);
      assert.ok(text.split('\r\n').every((line) => line.length <= 998));
      assert.equal(text.match(/\((?:[^()]*)\)/g)?.length, text.split('(').length - 1);
    }),
  );
});
