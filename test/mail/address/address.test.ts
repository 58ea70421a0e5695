import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, mailboxName, parseAddress, parseDomain, splitTag } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { cpuMs } from '#test/support/time/cpu-time.ts';

const accepted = [
  { text: 'a@b.example', localPart: 'a', domain: 'b.example' },
  { text: 'First.Last@B.Example', localPart: 'First.Last', domain: 'b.example' },
  { text: "!#$%&'*+-/=?^_`{|}~@b.example", localPart: "!#$%&'*+-/=?^_`{|}~", domain: 'b.example' },
  { text: '"odd one"@b.example', localPart: 'odd one', domain: 'b.example' },
  { text: '"a@b"@c.example', localPart: 'a@b', domain: 'c.example' },
  { text: '"a>b"@c.example', localPart: 'a>b', domain: 'c.example' },
  { text: '"a\\"b\\\\c"@d.example', localPart: 'a"b\\c', domain: 'd.example' },
  { text: '"plain"@b.example', localPart: 'plain', domain: 'b.example', formatted: 'plain@b.example' },
  { text: '" "@b.example', localPart: ' ', domain: 'b.example' },
  { text: 'user@localhost', localPart: 'user', domain: 'localhost' },
  { text: 'user@b.example.', localPart: 'user', domain: 'b.example', formatted: 'user@b.example' },
  { text: 'user@xn--mnchen-3ya.example', localPart: 'user', domain: 'xn--mnchen-3ya.example' },
  { text: 'user@München.example', localPart: 'user', domain: 'xn--mnchen-3ya.example' },
  { text: 'ü@b.example', localPart: 'ü', domain: 'b.example' },
  { text: '用户@例え.example', localPart: '用户', domain: 'xn--r8jz45g.example' },
  { text: 'u\u0308@b.example', localPart: 'u\u0308', domain: 'b.example' },
  { text: 'a@[192.0.2.1]', localPart: 'a', domain: '[192.0.2.1]' },
  { text: 'a@[IPv6:2001:DB8::1]', localPart: 'a', domain: '[IPv6:2001:db8::1]' },
  { text: 'a@[ipv6:::ffff:192.0.2.1]', localPart: 'a', domain: '[IPv6:::ffff:192.0.2.1]' },
  { text: `${'a'.repeat(64)}@b.example`, localPart: 'a'.repeat(64), domain: 'b.example' },
  { text: `a@${'b'.repeat(63)}.example`, localPart: 'a', domain: `${'b'.repeat(63)}.example` },
  { text: 'a@b_c.example', localPart: 'a', domain: 'b_c.example' },
  { text: 'a@1.2.3.example', localPart: 'a', domain: '1.2.3.example' },
  { text: 'constructor@__proto__.example', localPart: 'constructor', domain: '__proto__.example' },
] as const;

const refused = [
  '',
  '@',
  'a',
  'a@',
  '@b.example',
  'a b@c.example',
  '.a@b.example',
  'a.@b.example',
  'a..b@c.example',
  'a@b@c.example',
  '"a@b.example',
  '"a"b@c.example',
  '"a\\"@b.example',
  '""@b.example',
  '"a\nb"@c.example',
  '"a\\\nb"@c.example',
  'a\0@b.example',
  'a\r\n@b.example',
  'a\x7f@b.example',
  'a\u0085@b.example',
  'a\u2028@b.example',
  'a\u202e@b.example',
  'a\ufffd@b.example',
  'a\ud800@b.example',
  '"\udc00"@b.example',
  'a@b..example',
  'a@.example',
  'a@-b.example',
  'a@b-.example',
  'a@b c.example',
  'a@b/c',
  'a@b#c',
  'a@b?c',
  'a@b%41.example',
  'a@b:25',
  'a@ü%41.example',
  'a@ü/x',
  'a@ü:1',
  'a@ü\t.example',
  'a@ﬁ.example',
  'a@①.example',
  'a@a。b',
  'a@\u200d.example',
  'a@123',
  'a@1.2.3.4',
  'a@b.0',
  'a@[1.2.3]',
  'a@[1.2.3.4',
  'a@[01.2.3.4]',
  'a@[IPv6:::1%eth0]',
  'a@[IPv6:1.2.3.4]',
  'a@[::1]',
  'a@[x:y]',
  'a@[]',
  `a@${'b'.repeat(64)}.example`,
  `a@${'b.'.repeat(127)}example`,
  `${'a'.repeat(250)}@b.example`,
  'a@b.example..',
  'a@',
  'a@\0.example',
  '<a@b.example>',
  'a@b.example ',
  ' a@b.example',
  'a@b\r\n.example',
  'a@xn--.example\0',
  'a@*.example',
  'a(comment)@b.example',
  `a@${'ü'.repeat(60)}.example`,
];

describe('parseAddress', () => {
  for (const row of accepted) {
    test(`${JSON.stringify(row.text)} is an address`, () => {
      const { localPart, domain } = row;
      const parsed = parseAddress(row.text);
      assert.deepEqual(parsed, { localPart, domain });
      if ('formatted' in row) assert.equal(formatAddress(parsed as never), row.formatted);
    });
  }
  for (const text of refused) {
    test(`${JSON.stringify(text.slice(0, 60))} is no address`, () => assert.ok(isProblem(parseAddress(text))));
  }

  test('any text gives an address or a problem, and an address written and read again is the same', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.constantFrom('"', '\\', '@', '.', '[', ']', 'IPv6:', 'xn--', 'ü', '<', '>', 'a', '1'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const parsed = parseAddress(pieces.join(''));
        if (isProblem(parsed)) return;
        assert.deepEqual(parseAddress(formatAddress(parsed)), parsed);
        assert.doesNotMatch(formatAddress(parsed), /[\p{Cc}\p{Cs}]/u);
        assert.match(parsed.domain, /^[!-~]+$/);
      }),
      { numRuns: 500 },
    );
  });

  test('any domain is lower-case ASCII and stays what it is when read again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.domain(), fc.string({ unit: 'grapheme', maxLength: 20 })), (text) => {
        const domain = parseDomain(text);
        if (isProblem(domain)) return;
        assert.match(domain, /^(?:[a-z0-9_.-]+|\[[IPv0-9a-f:.6]+\])$/);
        assert.equal(parseDomain(domain), domain);
      }),
      { numRuns: 500 },
    );
  });

  test('a megabyte of anything is refused at once', () => {
    const ms = cpuMs(() => {
      for (const unit of ['"', '\\', 'a.', '@', '[', 'ü', '"\\"', ' ', 'xn--']) {
        assert.ok(isProblem(parseAddress(unit.repeat(1_000_000))));
        assert.ok(isProblem(parseAddress(`${unit.repeat(1_000_000)}@b.example`)));
        assert.ok(isProblem(parseDomain(unit.repeat(1_000_000))));
      }
    });
    assert.ok(ms < 1_500, String(ms));
  });
});

test('a mailbox name is lower case and composed, whatever form it comes in', () => {
  assert.equal(mailboxName('Info'), 'info');
  assert.equal(mailboxName('U\u0308ber'), mailboxName('ÜBER'));
  for (let point = 0; point < 0x20000; point++) {
    const text = `a${String.fromCodePoint(point)}b`.toWellFormed();
    assert.equal(mailboxName(text.normalize('NFD')), mailboxName(text), point.toString(16));
    assert.equal(mailboxName(mailboxName(text)), mailboxName(text), point.toString(16));
  }
});

test('a tag is what follows the first plus, where something stands before it', () => {
  assert.deepEqual(splitTag('info+News+x'), { name: 'info', tag: 'News+x' });
  assert.deepEqual(splitTag('info'), { name: 'info', tag: null });
  assert.deepEqual(splitTag('info+'), { name: 'info', tag: null });
  assert.deepEqual(splitTag('+info'), { name: '+info', tag: null });
});
