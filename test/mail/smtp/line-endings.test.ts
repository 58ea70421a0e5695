import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createLineEndingCheck, createLineEndingNormaliser, normaliseLineEndings } from '#mail/smtp/line-endings.ts';

function check(...chunks: string[]) {
  const lineEndings = createLineEndingCheck();
  for (const chunk of chunks) lineEndings.push(Buffer.from(chunk, 'latin1'));
  lineEndings.end();
  return lineEndings.found;
}

describe('the check', () => {
  const rows = [
    { chunks: [], found: null },
    { chunks: ['a\r\nb\r\n'], found: null },
    { chunks: ['a\r', '\nb'], found: null },
    { chunks: ['a\r', '', '\nb'], found: null },
    { chunks: ['\r\n\r\n'], found: null },
    { chunks: ['a\nb'], found: 'bare-lf' },
    { chunks: ['\n'], found: 'bare-lf' },
    { chunks: ['a\r\n\n'], found: 'bare-lf' },
    { chunks: ['a\r\n', '\n'], found: 'bare-lf' },
    { chunks: ['a\r', '\n\n'], found: 'bare-lf' },
    { chunks: ['a\rb'], found: 'bare-cr' },
    { chunks: ['a\r\r\n'], found: 'bare-cr' },
    { chunks: ['a\r', '\r\n'], found: 'bare-cr' },
    { chunks: ['a\r', 'b\r\n'], found: 'bare-cr' },
    { chunks: ['a\r'], found: 'bare-cr' },
    { chunks: ['a\0b'], found: 'nul' },
    { chunks: ['a\0\n'], found: 'bare-lf' },
  ];
  for (const { chunks, found } of rows) {
    test(`${JSON.stringify(chunks)} has ${found ?? 'nothing wrong'}`, () => assert.equal(check(...chunks), found));
  }

  test('finds the same however the bytes are cut into chunks', () => {
    const text = fc.array(fc.constantFrom('\r', '\n', '\r\n', 'a'), { maxLength: 20 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(20)), (bytes, cuts) => {
        const expected = /(?<!\r)\n/.test(bytes) || /\r(?!\n)/.test(bytes);
        assert.equal(check(...cut(bytes, cuts)) !== null, expected);
      }),
    );
  });
});

describe('the normaliser', () => {
  test('a host that drops NUL octets sees neither an end of data nor a field that were not there', () => {
    for (const [bytes, mended] of [
      ['a\r\n\0.\r\nb', 'a\r\n?.\r\nb'],
      ['a\r\n.\0\r\nb', 'a\r\n.?\r\nb'],
      ['Fr\0om: x', 'Fr?om: x'],
    ] as const) {
      assert.equal(String(normaliseLineEndings(Buffer.from(bytes))), mended);
    }
  });
  test('what is right already comes back as the same array', () => {
    const bytes = Buffer.from('a\r\nb\r\n');
    assert.equal(normaliseLineEndings(bytes), bytes);
  });
  test('every bare CR and LF becomes CRLF, every NUL `?`, nothing else changes, however cut', () => {
    const text = fc
      .array(fc.constantFrom('\r', '\n', '\r\n', 'a', '\0', '\xff'), { maxLength: 20 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(20)), (bytes, cuts) => {
        const expected = bytes.replaceAll('\0', '?').replace(/\r\n|\r|\n/g, '\r\n');
        assert.equal(Buffer.from(normaliseLineEndings(Buffer.from(bytes, 'latin1'))).toString('latin1'), expected);
        const normaliser = createLineEndingNormaliser();
        const pieces = cut(bytes, cuts).map((chunk) => normaliser.push(Buffer.from(chunk, 'latin1')));
        assert.equal(Buffer.concat([...pieces, normaliser.end()]).toString('latin1'), expected);
      }),
    );
  });
});

function cut(text: string, cuts: readonly number[]): string[] {
  const at = [0, ...cuts.filter((n) => n < text.length).toSorted((a, b) => a - b), text.length];
  return at.slice(1).map((end, index) => text.slice(at[index], end));
}
