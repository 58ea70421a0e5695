import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReply, isPermanent, isTemporary, type Reply, replies } from '#mail/smtp/replies.ts';

const all: [string, Reply][] = Object.entries(replies).map(([name, value]) => [
  name,
  typeof value === 'function' ? (value as (...words: unknown[]) => Reply)('words', []) : value,
]);

test('the class of every enhanced code is that of its code, and 2xx, 4xx, 5xx have one (RFC 2034 §4)', () => {
  const without = new Set(['greeting', 'helo', 'ehlo', 'startData', 'authChallenge']);
  for (const [name, { code, enhanced }] of all) {
    if (without.has(name)) assert.equal(enhanced, '', name);
    else assert.match(enhanced, new RegExp(`^${Math.floor(code / 100)}\\.[0-7]\\.\\d{1,2}$`), name);
    assert.ok(code >= 200 && code <= 556, name);
  }
});

test('421 ends the session for now; temporary and permanent follow from the code', () => {
  for (const [name, reply] of all) {
    assert.equal(isTemporary(reply), String(reply.code).startsWith('4'), name);
    assert.equal(isPermanent(reply), String(reply.code).startsWith('5'), name);
  }
});

test('a reply is written with its enhanced code on every line (RFC 2034 §4)', () => {
  assert.equal(formatReply(replies.okQueued('01J')), '250 2.6.0 Message accepted as 01J\r\n');
  assert.equal(
    formatReply(replies.ehlo('mx.example', ['SIZE 10', 'PIPELINING'])),
    '250-mx.example\r\n250-SIZE 10\r\n250 PIPELINING\r\n',
  );
  assert.equal(formatReply({ code: 550, enhanced: '5.7.1', text: 'a\nb' }), '550-5.7.1 a\r\n550 5.7.1 b\r\n');
});

test('what a reply names cannot make another reply, nor a line of more than 512 octets', () => {
  assert.equal(
    formatReply(replies.suppressedRecipient('x\r\n250 OK\0ü')),
    '550 5.1.1 The address is suppressed: x 250 OK??\r\n',
  );
  assert.equal(formatReply(replies.unknownParameter('a\r')), '555 5.5.4 Parameter not recognised: a?\r\n');
  assert.ok(formatReply(replies.syntaxError('x'.repeat(5_000))).length <= 512);
});
