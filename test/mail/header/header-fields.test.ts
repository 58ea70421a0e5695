// What fields say: their text, how many there are, what a submitted message is given.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorsOf } from '#mail/address/authors.ts';
import { fieldsNamed, fieldText, hasField } from '#mail/header/header-fields.ts';
import { missingFields } from '#mail/header/message-headers.ts';
import { readHeader } from '#mail/header/read-header.ts';

const read = (text: string) => readHeader(Buffer.from(text, 'utf8'));

test('a field beyond UTF-8 is read as windows-1252', () => {
  const { fields } = readHeader(Buffer.from('A: \xfc\x80\r\nB: ü\r\n\r\n', 'latin1'));
  assert.equal(fieldText(fields[0]!), 'ü€');
  assert.equal(fieldText(read('A: ü\r\n\r\n').fields[0]!), 'ü');
});

test('a header of 5 MB or of 100,000 fields is read as far as the limits go, its end is found, and a problem says so', () => {
  const big = read(`A: ${'x'.repeat(5_000_000)}\r\nB: 1\r\n\r\nbody`);
  assert.deepEqual(
    big.problems.map(({ code }) => code),
    ['header-too-large'],
  );
  assert.equal(big.bodyOffset, 5_000_013);
  assert.deepEqual(
    big.fields.map(({ name }) => name),
    ['A', 'B'],
  );
  const many = read(`${'A: 1\r\n'.repeat(100_000)}\r\nbody`);
  assert.deepEqual(
    many.problems.map(({ code }) => code),
    ['header-too-large'],
  );
  assert.equal(many.fields.length, 10_000);
});

test('a From field behind ten thousand others is seen all the same', () => {
  const header = read(`From: a@b.example\r\n${'X: y\r\n'.repeat(20_000)}From: c@d.example\r\n\r\n`);
  const { fieldCount, domains } = authorsOf(header);
  assert.deepEqual([fieldCount, domains], [2, ['b.example', 'd.example']]);
  assert.ok(read('From: a@b.example\r\n'.repeat(20_000)).fields.length <= 11_000);
});

test('a From field behind a bare CR is one, for line ends are mended before the message goes out', () => {
  assert.equal(authorsOf(read('From: a@b.example\r\nX: y\rFrom: c@d.example\r\n\r\n')).fieldCount, 2);
});

test('hops are counted, fields found, whatever their case', () => {
  const { fields } = read('RECEIVED: a\r\nreceived : b\r\nX-Received: c\r\n\r\nReceived: d');
  assert.equal(fieldsNamed(fields, 'received').length, 2);
  assert.ok(hasField(fields, 'x-received'));
  assert.ok(!hasField(fields, 'from'));
});

test('a submitted message is given the date and the id it lacks, and only those (RFC 6409 §8)', () => {
  const given = { nowMs: Date.parse('2026-11-21T03:04:05Z'), id: '01JD', hostname: 'mx.example.org' };
  assert.equal(
    missingFields([], given),
    'Date: Sat, 21 Nov 2026 03:04:05 +0000\r\nMessage-ID: <01JD@mx.example.org>\r\n',
  );
  assert.equal(missingFields(read('DATE: x\r\nMessage-Id: y\r\n\r\n').fields, given), '');
});
