import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatAddress } from '#mail/address/address.ts';
import { addressesOfFrom, parseAddressList } from '#mail/address/from-addresses.ts';
import { countReceived, fieldText, hasField } from '#mail/header/header-fields.ts';
import { missingFields } from '#mail/header/message-headers.ts';
import { findHeaderEnd, splitHeader } from '#mail/header/split-header.ts';
import { cpuMs } from '#test/support/time/cpu-time.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');
const split = (text: string) => splitHeader(bytes(text));

test('a header is split into fields, bytes untouched, folds kept', () => {
  const { fields, bodyOffset, problems } = split('A: 1\r\nSubject: x\r\n\ty\r\n z\r\nB:\r\n\r\nbody: no field\r\n');
  assert.deepEqual(
    fields.map(({ name, raw }) => [name, Buffer.from(raw).toString()]),
    [
      ['A', 'A: 1\r\n'],
      ['Subject', 'Subject: x\r\n\ty\r\n z\r\n'],
      ['B', 'B:\r\n'],
    ],
  );
  assert.equal(bodyOffset, 32);
  assert.equal(fieldText(fields[1]!), 'x\ty z');
  assert.deepEqual(problems, []);
});

describe('tolerance', () => {
  const rows = [
    { text: '', names: [], problems: [] },
    { text: '\r\nbody', names: [], problems: [] },
    { text: 'A: 1\nB: 2\n\nbody', names: ['A', 'B'], problems: [] },
    { text: 'A: 1', names: ['A'], problems: ['no-header-end'] },
    { text: 'A: 1\rB: 2\r folded\r\nC: 3\r\rbody: x', names: ['A', 'B', 'C'], problems: [] },
    { text: 'A: 1\r\n\r', names: ['A'], problems: ['no-header-end', 'malformed-header-line'] },
    { text: 'From me\r\nA: 1\r\n\r\n', names: ['A'], problems: ['malformed-header-line'] },
    { text: ' folded\r\nA: 1\r\n\r\n', names: ['A'], problems: ['malformed-header-line'] },
    { text: 'rubbish\r\n  folded: x\r\nA: 1\r\n\r\n', names: ['A'], problems: ['malformed-header-line'] },
    { text: 'A : 1\r\n: 2\r\nü: 3\r\n\r\n', names: ['A'], problems: ['malformed-header-line'] },
    { text: 'A: \0\r\n\r\n\0', names: ['A'], problems: ['nul-in-header'] },
    { text: 'A: 1\r\n \r\n\r\nbody', names: ['A'], problems: [] },
  ];
  for (const { text, names, problems } of rows) {
    test(`${JSON.stringify(text)} has ${names.join(', ') || 'no fields'}`, () => {
      const header = split(text);
      assert.deepEqual(
        header.fields.map(({ name }) => name),
        names,
      );
      assert.deepEqual(
        header.problems.map(({ code }) => code),
        text === '' ? ['no-header-end'] : problems,
      );
    });
  }
});

test('a field beyond UTF-8 is read as Latin-1', () => {
  const { fields } = splitHeader(Buffer.from('A: \xfc\r\nB: ü\r\n\r\n', 'latin1'));
  assert.equal(fieldText(fields[0]!), 'ü');
  assert.equal(fieldText(split('A: ü\r\n\r\n').fields[0]!), 'ü');
});

test('a header of 5 MB or of 100,000 fields is read as far as the limits go, its end is found, and a problem says so', () => {
  const big = split(`A: ${'x'.repeat(5_000_000)}\r\n\r\nbody`);
  assert.deepEqual(
    big.problems.map(({ code }) => code),
    ['header-too-large'],
  );
  assert.equal(big.bodyOffset, 5_000_007);
  const many = split(`${'A: 1\r\n'.repeat(100_000)}\r\nbody`);
  assert.deepEqual(
    many.problems.map(({ code }) => code),
    ['too-many-fields'],
  );
  assert.equal(many.fields.length, 10_000);
  split('\n '.repeat(1_000_000));
  split(' \n'.repeat(1_000_000));
  for (const unit of ['\r', 'a\r', '\r\n ', 'a:\n', 'a'])
    assert.ok(cpuMs(() => void split(unit.repeat(1_000_000))) < 1_500, unit);
});

test('a From field behind ten thousand others is seen all the same', () => {
  const { fields } = split(`From: a@b.example\r\n${'X: y\r\n'.repeat(20_000)}From: c@d.example\r\n\r\n`);
  assert.equal(addressesOfFrom(fields).fieldCount, 2);
  assert.ok(split('From: a@b.example\r\n'.repeat(20_000)).fields.length <= 11_000);
});

test('the end of a header is found once it is there whole, however the bytes come', () => {
  const message = 'A: 1\r\nB: 2\r\n\r\nbody';
  for (let length = 0; length < message.length; length++) {
    assert.equal(findHeaderEnd(bytes(message.slice(0, length))), length < 14 ? -1 : 14, String(length));
  }
});

test('a From field behind a bare CR is one, for line ends are mended before the message goes out', () => {
  const { fields } = split('From: a@b.example\r\nX: y\rFrom: c@d.example\r\n\r\n');
  assert.equal(addressesOfFrom(fields).fieldCount, 2);
});

test('any bytes give a header, and its fields and what lies between make up the whole', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('\r', '\n', '\r\n', 'A:', ' ', 'x', '\0', ':')), (parts) => {
      const text = parts.join('');
      const { fields, bodyOffset } = split(text);
      assert.ok(bodyOffset <= text.length);
      for (const { raw } of fields) assert.ok(text.includes(Buffer.from(raw).toString()));
      const end = findHeaderEnd(bytes(text));
      assert.ok(end === -1 || end === bodyOffset);
    }),
  );
});

test('hops are counted, fields found, whatever their case', () => {
  const { fields } = split('RECEIVED: a\r\nreceived : b\r\nX-Received: c\r\n\r\nReceived: d');
  assert.equal(countReceived(fields), 2);
  assert.ok(hasField(fields, 'x-received'));
  assert.ok(!hasField(fields, 'from'));
});

describe('From addresses', () => {
  const rows = [
    { from: 'a@b.example', addresses: ['a@b.example'] },
    { from: 'A <a@b.example>', addresses: ['a@b.example'] },
    { from: '"Doe, John" <a@b.example>, c@d.example', addresses: ['a@b.example', 'c@d.example'] },
    { from: '"x@evil.example" <a@b.example>', addresses: ['a@b.example'] },
    { from: 'a@b.example (c@d.example)', addresses: ['a@b.example'] },
    { from: '(x (y) \\) <c@d.example>) A <a@b.example>', addresses: ['a@b.example'] },
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
      const read = addressesOfFrom(split(`From: ${from}\r\n\r\n`).fields);
      assert.deepEqual(
        { ...read, addresses: read.addresses.map(formatAddress) },
        { fieldCount: 1, addresses, unreadable: [] },
      );
    });
  }

  const unreadable = [
    'nobody',
    'a b@c.example',
    '<>',
    'a@b.example (open',
    '"open <a@b.example>',
    '<a@b.example> c@d.example',
    '<a@b.example> <c@d.example>',
    '<a@b.example',
    'a@b.example>',
    'x@evil.example: a@b.example;',
    'a@b.example c@d.example',
    '<a@b.example, c@d.example>',
    'a@b..example',
    'a@b.example\0',
    'a@[192.0.2.1',
  ];
  for (const from of unreadable) {
    test(`${JSON.stringify(from)} cannot be read, and is not passed over`, () => {
      const { unreadable: parts } = parseAddressList(from);
      assert.ok(parts.length > 0, JSON.stringify(parseAddressList(from)));
    });
  }

  test('all From fields count', () => {
    const { fields } = split('From: a@b.example\r\nX: y\r\nFROM: c@d.example\r\n\r\n');
    const read = addressesOfFrom(fields);
    assert.equal(read.fieldCount, 2);
    assert.deepEqual(read.addresses.map(formatAddress), ['a@b.example', 'c@d.example']);
  });

  test('whatever is long is read in linear time', () => {
    const length = 250_000;
    for (const unit of [
      ' ',
      '"',
      '\\"',
      '(',
      ',',
      '<',
      '<@,',
      '@',
      ':',
      'x@:',
      ';',
      '[',
      'a@b.example,',
      ' @ ',
      '<@a:',
    ]) {
      const long = unit.repeat(length / unit.length);
      for (const text of [long, `"${long}`, `<@${long}`]) {
        const ms = cpuMs(() => void parseAddressList(text));
        assert.ok(ms < 1_500, `${text.slice(0, 10)}: ${ms} ms`);
      }
    }
    assert.ok(cpuMs(() => void parseAddressList(`a${' '.repeat(length)}x@b.example`)) < 1_000);
    const gaps = `a${' '.repeat(990)}b,`.repeat(2_000);
    assert.ok(cpuMs(() => void parseAddressList(gaps)) < 400);
  });

  test('a hundred thousand addresses are too many', () => {
    const many = addressesOfFrom(split(`From: ${'a@b.example,'.repeat(80_000)}\r\n\r\n`).fields);
    assert.equal(many.addresses.length, 1_000);
    assert.ok(many.unreadable.length > 0);
  });
});

test('a submitted message is given the date and the id it lacks, and only those (RFC 6409 §8)', () => {
  const given = { nowMs: Date.parse('2026-11-21T03:04:05Z'), id: '01JD', hostname: 'mx.example.org' };
  assert.equal(
    missingFields([], given),
    'Date: Sat, 21 Nov 2026 03:04:05 +0000\r\nMessage-ID: <01JD@mx.example.org>\r\n',
  );
  assert.equal(missingFields(split('DATE: x\r\nMessage-Id: y\r\n\r\n').fields, given), '');
});
