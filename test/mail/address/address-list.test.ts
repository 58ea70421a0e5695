// The one reading of address-lists: what each entry shows, what else it may be taken for, and whether that is clear.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { formatAddress } from '#mail/address/address.ts';
import { parseAddressList } from '#mail/address/address-list.ts';
import { authorsOf } from '#mail/address/authors.ts';
import { readHeader } from '#mail/header/read-header.ts';
import { cpuMs } from '#test/support/time/cpu-time.ts';

type Shown = readonly [name: string, address: string, group: string | null];

describe('clear entries', () => {
  const rows: readonly [text: string, shown: readonly Shown[]][] = [
    ['a@b.example', [['', 'a@b.example', null]]],
    ['A B <a@b.example>', [['A B', 'a@b.example', null]]],
    ['"B, \\"A\\"" <a@b.example>', [['B, "A"', 'a@b.example', null]]],
    ['a@b.example (Ann (x) \\) <c>)', [['Ann (x) ) <c>', 'a@b.example', null]]],
    ['Ann (hi) Lee <a@b.example> (x)', [['Ann Lee', 'a@b.example', null]]],
    ['a . b @ c . example', [['', 'a.b@c.example', null]]],
    ['a (x) @ (y) b.example', [['x y', 'a@b.example', null]]],
    ['"a . b" @c.example', [['', '"a . b"@c.example', null]]],
    ['[list] Ann <a@b.example>', [['[list] Ann', 'a@b.example', null]]],
    ['Ann @ Acme <a@b.example>', [['Ann @ Acme', 'a@b.example', null]]],
    ['"x@evil.example" <a@b.example>', [['x@evil.example', 'a@b.example', null]]],
    ['<@x.example,@y.example:a@b.example>', [['', 'a@b.example', null]]],
    [
      'G (x) : a@b.example, C <c@d.example>;, e@[IPv6:2001:db8::1]',
      [
        ['', 'a@b.example', 'G'],
        ['C', 'c@d.example', 'G'],
        ['', 'e@[IPv6:2001:db8::1]', null],
      ],
    ],
    ['ü <ü@bücher.example>', [['ü', 'ü@bücher.example', null]]],
    ['undisclosed-recipients:;', []],
    [', (nothing) ,', []],
  ];
  for (const [text, shown] of rows) {
    test(text, () => {
      const { entries, isCut } = parseAddressList(text);
      assert.deepEqual(
        entries.map(({ name, written, group }) => [name, written, group]),
        shown,
      );
      assert.deepEqual([isCut, entries.flatMap(({ doubt }) => doubt ?? [])], [false, []]);
    });
  }
});

describe('what it may be taken for', () => {
  const rows: readonly { readonly from: string; readonly domains: readonly string[]; readonly isClear?: boolean }[] = [
    { from: 'a@b.example <a@b.example>', domains: ['b.example'], isClear: true },
    { from: '"x@evil.example" <ceo@ victim.example>', domains: ['victim.example'], isClear: true },
    { from: 'nobody', domains: [], isClear: true },
    { from: '<>', domains: [], isClear: true },
    { from: 'Doe, John <a@b.example>', domains: ['b.example'], isClear: true },
    { from: 'J. R. Doe a@b.example', domains: ['b.example'], isClear: true },
    { from: 'Sales :) <a@b.example>', domains: ['b.example'], isClear: true },
    { from: '<<a@b.example>>', domains: ['b.example'], isClear: true },
    { from: 'G: H: a@b.example;', domains: ['b.example'], isClear: true },
    { from: 'a@b.example>', domains: ['b.example'], isClear: true },
    { from: '<a@b.example', domains: ['b.example'], isClear: true },
    { from: '<a@b.example', domains: ['b.example'], isClear: true },
    { from: 'ceo@victim.example <x@evil.example>', domains: ['evil.example', 'victim.example'] },
    { from: 'Ann "x@evil.example" a@b.example', domains: ['b.example', 'evil.example'] },
    { from: 'ceo@victim.example .evil.example', domains: ['victim.example', 'victim.example.evil.example'] },
    { from: '<ceo@victim.example (x) .evil.example>', domains: ['victim.example', 'victim.example.evil.example'] },
    { from: '<x@evil.example>"ceo@victim.example"', domains: ['evil.example', 'victim.example'] },
    { from: '<x@evil.example>, (ceo@victim.example)', domains: ['evil.example', 'victim.example'] },
    { from: 'ceo@b.co m <x@b.co>', domains: ['b.co', 'b.com'] },
    { from: '"x@evil.example" [a] <x@evil.example>', domains: ['evil.example'] },
    { from: '=?utf-8?q?ceo=40victim.example?=; <x@evil.example>', domains: ['evil.example', 'victim.example'] },
    { from: '=?utf-8?q?ceo=40victim.example?=: x@evil.example;', domains: ['evil.example', 'victim.example'] },
    { from: 'ceo@victim.example.ü', domains: ['victim.example', 'victim.example.xn--tda'] },
    { from: 'A <x@evil.example> :(ceo@victim.example)', domains: ['evil.example', 'victim.example'] },
    { from: 'a@b.example c@d.example', domains: ['b.example', 'd.example'] },
    { from: '<a@b.example> <c@d.example>', domains: ['b.example', 'd.example'] },
    { from: '<a@b.example> c@d.example', domains: ['b.example', 'd.example'] },
    { from: '<a@b.example c@d.example>', domains: ['b.example', 'd.example'] },
    { from: '"open <a@b.example>', domains: ['b.example'] },
    { from: 'a@b.example (open c@d.example', domains: ['b.example', 'd.example'] },
    { from: 'x@evil.example: a@b.example;', domains: ['evil.example', 'b.example'] },
    { from: 'a@b.example@c.example', domains: ['c.example', 'b.example'] },
    { from: '"x@evil.example"@b.example', domains: ['b.example', 'evil.example'] },
    { from: '=?utf-8?q?x=40evil.example=2C?=@b.example', domains: ['b.example', 'evil.example'] },
    { from: 'a\\@b.example', domains: ['b.example'] },
    { from: 'a@b..example', domains: [] },
    { from: 'ceo@vic\u00adtim.example', domains: ['victim.example'] },
    { from: 'ceo@vic\u200btim.example', domains: ['victim.example'] },
    { from: 'ceo@victim\u2060.example', domains: ['victim.example'] },
    { from: 'ceo@ｖｉｃｔｉｍ.example', domains: ['victim.example'] },
    { from: 'ceo@victim。example', domains: ['victim.example'] },
    { from: 'ceo＠victim.example', domains: ['victim.example'] },
    { from: 'ceo@\u00a0victim.example', domains: ['victim.example'] },
    { from: 'x@evil.example\u2003<ceo@victim.example>', domains: ['victim.example', 'evil.example'] },
    { from: 'a\u2003b@c.example', domains: ['c.example'] },
    { from: '"a\r\n <ceo@victim.example>" <x@evil.example>', domains: ['evil.example', 'victim.example'] },
    // Email::Simple joins a line that is no field to the one above it.
    { from: 'x@victim.co\r\nm', domains: ['victim.co', 'victim.com'] },
    { from: 'x@victim.\r\nexam\r\nple', domains: ['victim', 'victim.exam', 'victim.example'] },
    { from: 'x@evil.example\r\n: <ceo@victim.example>', domains: ['evil.example', 'victim.example'] },
    // Mail::Address joins what stands in several brackets and behind them.
    { from: '"a" <x@victim.ex>b c<ample>', domains: ['victim.ex', 'victim.example'] },
    { from: 'a<<x@victim.ex>ample', domains: ['victim.ex', 'victim.example'] },
    { from: 'ceo@victim.ex<>ample <x@evil.example>', domains: ['evil.example', 'victim.ex', 'victim.example'] },
    { from: ';,x@(x@evil.example)>victim.example', domains: ['evil.example', 'victim.example'] },
    // Who decodes first sees a list in an encoded word.
    { from: '=?utf-8?q?ceo=40victim.example=2C?= x@evil.example', domains: ['evil.example', 'victim.example'] },
    { from: '=?utf-8?q?ceo=40victim.example=2C?= <x@evil.example>', domains: ['evil.example', 'victim.example'] },
    { from: '=?utf-8?b?Y2VvQHZpY3RpbS5leGFtcGxlLA==?= <x@evil.example>', domains: ['evil.example', 'victim.example'] },
    {
      from: '=?utf-8?q?ceo=40vic?= =?utf-8?q?tim.example=2C?= <x@evil.example>',
      domains: ['evil.example', 'victim.example'],
    },
    { from: '(x (y) \\) <ceo@victim.example>) <x@evil.example>', domains: ['evil.example', 'victim.example'] },
    {
      from: '=?utf-8?q?ceo=40victim.example?=\r\n =?latin1?q?=3B?= <x@evil.example>',
      domains: ['evil.example', 'victim.example'],
    },
    {
      from: '"=?utf-8?q?=22ceo=40victim.example=2C=22?=" <x@evil.example>',
      domains: ['evil.example', 'victim.example'],
    },
    { from: 'x@evil.example (=?utf-8?q?=29=2Cceo=40victim.example?=)', domains: ['evil.example', 'victim.example'] },
    // A control is a blank to some programs, and nothing to others.
    { from: 'ceo@victim\v.example', domains: ['victim.example'] },
    { from: 'ceo@victim.example\va.evil.example', domains: ['victim.example', 'victim.examplea.evil.example'] },
    // mailparser ends an address at its last ASCII letter, and takes one out of a comment.
    { from: 'ceo@victim.example\u0085.  example', domains: ['victim.example', 'victim.example.example'] },
    { from: "'ceo@victim.example中%", domains: ['victim.example', 'victim.xn--example-m43k'] },
    {
      from: 'x@evil.example (c(ceo@victim.example)eo@victim.example)',
      domains: ['evil.example', 'victim.example'],
    },
  ];
  for (const { from, domains, isClear = false } of rows) {
    test(`${JSON.stringify(from)} is ${isClear ? '' : 'doubtful, '}of ${domains.join(' and ') || 'nobody'}`, () => {
      const authors = authorsOf(readHeader(Buffer.from(`From: ${from}\r\n\r\n`)));
      assert.deepEqual([...authors.domains].sort(), [...domains].sort());
      assert.equal(authors.doubts.length === 0, isClear, authors.doubts.join());
    });
  }
});

describe('From fields that are clear', () => {
  const rows = [
    { from: 'a@b.example', addresses: ['a@b.example'] },
    { from: 'A <a@b.example>', addresses: ['a@b.example'] },
    { from: '"Doe, John" <a@b.example>, c@d.example', addresses: ['a@b.example', 'c@d.example'] },
    { from: '"x@evil.example" <a@b.example>', addresses: ['a@b.example'] },
    { from: 'a@b.example (c@d.example)', addresses: ['a@b.example'] },
    { from: '(x (y) \\) <c>) A <a@b.example>', addresses: ['a@b.example'] },
    {
      from: 'A group: a@b.example, C <c@d.example>;, e@f.example',
      addresses: ['a@b.example', 'c@d.example', 'e@f.example'],
    },
    { from: 'undisclosed-recipients:;', addresses: [] },
    { from: 'John <@x.example,@y.example:a@b.example>', addresses: ['a@b.example'] },
    { from: 'a . b @ c . example', addresses: ['a.b@c.example'] },
    { from: '"a . b" @c.example', addresses: ['"a . b"@c.example'] },
    { from: '=?utf-8?q?=3Cx=40y=2Eexample=3E?= <a@b.example>', addresses: ['a@b.example'] },
    { from: 'John Q. Public <a@b.example>', addresses: ['a@b.example'] },
    { from: 'a@[192.0.2.1], <b@[IPv6:2001:db8::1]>', addresses: ['a@[192.0.2.1]', 'b@[IPv6:2001:db8::1]'] },
    { from: 'ü <ü@bücher.example>', addresses: ['ü@xn--bcher-kva.example'] },
    { from: ' , a@b.example,, ', addresses: ['a@b.example'] },
    { from: 'me@b.example <a@b.example>', addresses: ['a@b.example'] },
  ];
  for (const { from, addresses } of rows) {
    test(`${from} is from ${addresses.join(' and ') || 'nobody'}`, () => {
      const read = authorsOf(readHeader(Buffer.from(`From: ${from}\r\n\r\n`)));
      assert.deepEqual(read.addresses.map(formatAddress), addresses);
      assert.deepEqual([read.fieldCount, read.doubts], [1, []]);
    });
  }
});

describe('From fields as senders write them', () => {
  const file = new URL('../../support/samples/ordinary-authors.json', import.meta.url);
  const values: readonly string[] = JSON.parse(readFileSync(file, 'utf8'));
  test(`none of ${values.length} is doubtful`, () => {
    const doubtful = values.flatMap((value) => {
      const { doubts } = authorsOf(readHeader(Buffer.from(`From: ${value}\r\n\r\n`)));
      return doubts.length === 0 ? [] : [{ value, doubts }];
    });
    assert.deepEqual(doubtful, []);
  });
});

test('all From fields count, and what reads like one', () => {
  const text = 'From: a@b.example\r\nX: y\r\nFROM : c@d.example\r\nFrom\v: e@f.example\r\n\r\n';
  const { fieldCount, addresses, domains, doubts } = authorsOf(readHeader(Buffer.from(text)));
  assert.equal(fieldCount, 2);
  assert.deepEqual(addresses.map(formatAddress), ['a@b.example', 'c@d.example']);
  assert.deepEqual(domains, ['b.example', 'd.example', 'f.example']);
  assert.equal(doubts.length, 1);
});

test('a From field of 200 KiB and the last of 999 authors are read; one of 1,001 is a doubt, and its domain known', () => {
  const long = `From: "${'x'.repeat(200_000)}" <a@b.example>, c@d.example\r\n\r\n`;
  const { domains, doubts } = authorsOf(readHeader(Buffer.from(long)));
  assert.deepEqual([domains, doubts], [['b.example', 'd.example'], []]);
  const many = (count: number) =>
    authorsOf(readHeader(Buffer.from(`From: ${'a@b.example, '.repeat(count - 1)}c@d.example\r\n\r\n`)));
  assert.deepEqual(many(999).domains, ['b.example', 'd.example']);
  assert.equal(many(999).doubts.length, 0);
  assert.deepEqual(many(1_001).domains, ['b.example', 'd.example']);
  assert.equal(many(1_001).doubts.length, 1);
});

test('whatever is long is read in linear time', () => {
  const length = 60_000;
  const units = [
    ' ',
    '"',
    '\\"',
    '(',
    '(x)',
    ',',
    '<',
    '<@,',
    '@',
    ':',
    'x@:',
    ';',
    '[',
    '@[',
    'a@b.example,',
    ' @ ',
    '<@a:',
    '. ',
    'a@b ',
    '=?',
    '\u00a0',
    '>',
  ];
  for (const unit of units) {
    const long = unit.repeat(length / unit.length);
    for (const text of [long, `"${long}`, `<@${long}`, `a@b.example ${long}`]) {
      const header = readHeader(Buffer.from(`From: ${text}\r\n\r\n`));
      const ms = cpuMs(() => void authorsOf(header));
      assert.ok(ms < 500, `${text.slice(0, 20)}: ${ms} ms`);
    }
  }
});
