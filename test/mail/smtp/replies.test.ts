import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replies } from '#mail/smtp/replies.ts';
import { formatReply, isPermanent, isTemporary, parseReply, type Reply, reply, shownReply } from '#mail/smtp/reply.ts';

const all: [string, Reply][] = Object.entries(replies).map(([name, value]) => [
  name,
  typeof value === 'function' ? (value as (...words: unknown[]) => Reply)('words', []) : value,
]);

test('the class of every enhanced code is that of its code, and 2xx, 4xx, 5xx have one (RFC 2034 §4)', () => {
  const without = new Set(['greeting', 'helo', 'ehlo', 'startData', 'authChallenge']);
  for (const [name, { code, enhanced }] of all) {
    if (without.has(name)) assert.equal(enhanced, null, name);
    else assert.match(enhanced ?? '', new RegExp(`^${Math.floor(code / 100)}\\.[0-7]\\.\\d{1,2}$`), name);
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

test('a code cannot carry an enhanced code of another class: it does not compile', () => {
  // @ts-expect-error a 4xx reply is no 5.x.x
  reply(450, '5.1.1', 'later');
  // @ts-expect-error nor is a 5xx reply a 4.x.x
  const wrong: Reply = { code: 550, enhanced: '4.1.1', text: 'no' };
  // @ts-expect-error a 3xx reply has none (RFC 2034 §4)
  reply(354, '2.0.0', 'go on');
  assert.ok(wrong);
});

const heard: readonly { readonly title: string; readonly lines: readonly string[]; readonly reply: Reply | null }[] = [
  { title: 'a plain reply', lines: ['250 OK'], reply: { code: 250, enhanced: null, text: 'OK' } },
  { title: 'one without words', lines: ['250'], reply: { code: 250, enhanced: null, text: '' } },
  { title: 'one with an enhanced code', lines: ['550 5.1.1 No'], reply: { code: 550, enhanced: '5.1.1', text: 'No' } },
  {
    title: 'one of several lines, each with the enhanced code',
    lines: ['452-4.5.3 Too many', '452 4.5.3 recipients'],
    reply: { code: 452, enhanced: '4.5.3', text: 'Too many\nrecipients' },
  },
  {
    title: 'an enhanced code of another class: the code decides (RFC 2034 §4)',
    lines: ['550 4.2.2 mixed up'],
    reply: { code: 550, enhanced: '5.2.2', text: 'mixed up' },
  },
  { title: 'none with a 3xx', lines: ['354 2.0.0 go'], reply: { code: 354, enhanced: null, text: '2.0.0 go' } },
  {
    title: 'words that only begin like one',
    lines: ['250 2.0.0.1 x'],
    reply: { code: 250, enhanced: null, text: '2.0.0.1 x' },
  },
  { title: 'no reply: an unknown class', lines: ['150 what'], reply: null },
  { title: 'no reply: a code run into its text', lines: ['2500K'], reply: null },
  { title: 'no reply: lines with two codes', lines: ['250-a', '550 b'], reply: null },
  { title: 'no reply at all', lines: [], reply: null },
];
for (const { title, lines, reply: expected } of heard) {
  test(`what a peer says is read as ${title}`, () => assert.deepEqual(parseReply(lines), expected));
}

test('what is said is heard as the same, and shown on one line', () => {
  for (const [name, said] of all) {
    const lines = formatReply(said).trimEnd().split('\r\n');
    assert.deepEqual(parseReply(lines), { ...said, text: said.text.trim() }, name);
    assert.doesNotMatch(shownReply(said), /\n/, name);
  }
});
