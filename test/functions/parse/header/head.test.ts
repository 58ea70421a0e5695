// The header readers: words, addresses, dates, where a header ends. Tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mimeHeader } from '#functions/parse/header/mime-header.ts';
import { readDate } from '#functions/parse/header/read-date.ts';
import { createQuotedPrintableDecoder } from '#functions/parse/mime/decode-quoted-printable.ts';
import { createProblemList } from '#functions/parse/problems.ts';
import { listLimits, parseAddressList } from '#mail/address/address-list.ts';
import { decodeWords } from '#mail/header/decode-text.ts';
import { fieldValue } from '#mail/header/header-fields.ts';
import { readHeaderOf } from '#mail/header/read-header.ts';

const words: readonly [string, string][] = [
  ['plain', 'plain'],
  ['=?utf-8?Q?a=20b_c?=', 'a b c'],
  ['=?ISO-8859-1?Q?a?= b', 'a b'],
  ['=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=', 'ab'], // RFC 2047 §8
  ['=?ISO-8859-1?Q?a?=   =?utf-8?Q?b?=', 'ab'],
  ['=?ISO-8859-1?Q?a?= x =?ISO-8859-1?Q?b?=', 'a x b'],
  ['=?utf-8?B?w7zD?= =?utf-8?B?nw==?=', 'üß'],
  ['=?no-such-charset?Q?a?=', '=?no-such-charset?Q?a?='],
  ['=?utf-8?X?a?=', '=?utf-8?X?a?='],
  ['=?utf-8?Q?a=0D=0Ab=00?=', 'a  b '],
  ['=?us-ascii?Q?=C3=BC?=', 'ü'],
  ['=?utf-8?Q?', '=?utf-8?Q?'],
  ['=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=\r\n =?ISO-2022-JP?B?GyRCOGwbKEI=?=', '日本語'], // RFC 1468: each word ends in ASCII
  ['=?iso-2022-kr?B?GyQpQw5HUTE5Pm4P?=', '한국어'],
  ['=?hz-gb-2312?Q?~{VPND~}=7E=7E?=', '中文~'],
  ['=?utf-7?Q?Gr+APwA3w-e_+-?=', 'Grüße +'],
  ['=?unicode-1-1-utf-7?Q?+2Dzfag-?=', '\u{1f36a}'],
  ['=?cp932?B?h0A=?=', '①'],
];
for (const [given, expected] of words) {
  test(`the words ${JSON.stringify(given)} read ${JSON.stringify(expected)}`, () =>
    assert.equal(decodeWords(given), expected));
}

const dates: readonly [string, string | null][] = [
  ['Sat, 21 Nov 2026 09:00:00 +0100', '2026-11-21T08:00:00.000Z'],
  ['21 Nov 2026 09:00 -0330', '2026-11-21T12:30:00.000Z'],
  ['Fri, 21 Nov 97 09:55:06 EST', '1997-11-21T14:55:06.000Z'],
  ['21 Nov 26 09:00:00 GMT (a comment)', '2026-11-21T09:00:00.000Z'],
  ['21 Nov 2026 09:00:60 +0000', '2026-11-21T09:00:59.000Z'],
  ['21 Nov 2026 09:00:00', '2026-11-21T09:00:00.000Z'],
  ['2026-11-21T09:00:00Z', null],
  ['32 Nov 2026 09:00:00 +0000', null],
  ['Sat , 21 Nov 2026 (today) 09 : 00 (sharp) : 05 (CET) +0100', '2026-11-21T08:00:05.000Z'], // RFC 5322 §4.3
  ['31 Feb 2026 09:00:00 +0000', null],
  ['29 Feb 2028 09:00:00 +0000', '2028-02-29T09:00:00.000Z'],
  ['1 Jan 0001 00:00:00 +0000', null],
  ['Sat, 21 Nov 2026 09:00:00 GMT+0100 (CET)', '2026-11-21T08:00:00.000Z'],
  ['21 Foo 2026 09:00:00 +0000', null],
  ['', null],
];
for (const [given, expected] of dates) {
  test(`the date ${JSON.stringify(given)} is ${expected}`, () => assert.equal(readDate(given), expected));
}

const lists: readonly [string, readonly [string, string, string | null][]][] = [
  ['a@x.example', [['', 'a@x.example', null]]],
  ['A B <a@x.example>', [['A B', 'a@x.example', null]]],
  [
    '"B, A" <a@x.example>, b@x.example',
    [
      ['B, A', 'a@x.example', null],
      ['', 'b@x.example', null],
    ],
  ],
  ['a@x.example (Alice)', [['Alice', 'a@x.example', null]]],
  ['a @ x . example', [['', 'a@x.example', null]]], // RFC 5322 §4.4
  ['Alice < a . b @ x.example >', [['Alice', 'a.b@x.example', null]]],
  ['"a . b" @ x.example', [['', '"a . b"@x.example', null]]],
  ['J. R. Alice a@x.example', [['J. R. Alice', 'a@x.example', null]]],
  ['"Alice, A" a@x.example', [['Alice, A', 'a@x.example', null]]],
  ['<<a@x.example>>', [['', 'a@x.example', null]]],
  ['Alice <a@x.example> <b@x.example>', [['Alice', 'a@x.example', null]]],
  ['a@x.example b@x.example', [['a@x.example b@x.example', '', null]]],
  [
    'G: a@x.example, B <b@x.example>;, c@x.example',
    [
      ['', 'a@x.example', 'G'],
      ['B', 'b@x.example', 'G'],
      ['', 'c@x.example', null],
    ],
  ],
  ['undisclosed-recipients:;', []],
  ['"a b"@x.example', [['', '"a b"@x.example', null]]],
  ['<"a>b"@x.example>', [['', '"a>b"@x.example', null]]],
  ['=?utf-8?Q?a=40evil.example=2C?= <a@x.example>', [['a@evil.example,', 'a@x.example', null]]],
  ['Alice a@x.example', [['Alice', 'a@x.example', null]]],
  ['nobody', [['nobody', '', null]]],
  [', ,', []],
];
for (const [given, expected] of lists) {
  test(`the address list ${JSON.stringify(given)}`, () => {
    const { entries } = parseAddressList(given);
    assert.deepEqual(
      entries.map(({ name, written, group }) => [decodeWords(name), written, group]),
      expected,
    );
  });
}

test('more addresses than are wanted are cut, and that is said', () => {
  const { entries, isCut } = parseAddressList('a@x.example, b@x.example, c@x.example', { ...listLimits, entries: 2 });
  assert.equal(entries.length, 2);
  assert.equal(isCut, true);
});

const source = Buffer.from(
  'Received: x\r\nSubject: one\r\n two\r\nContent-Type: text/html\r\nX: y\r\n\r\nbody\r\nmore',
);
for (let size = 1; size <= source.length; size += 1) {
  test(`a header in chunks of ${size} bytes reads as in one`, async () => {
    const pieces = Array.from({ length: Math.ceil(source.length / size) }, (_, n) =>
      source.subarray(n * size, (n + 1) * size),
    );
    const chunks = (async function* () {
      yield* pieces;
    })();
    const { header, rest } = await readHeaderOf(chunks);
    const names = header.fields.map((field) => `${field.name}=${Buffer.from(fieldValue(field)).toString()}`);
    const mime = Buffer.from(mimeHeader(header, createProblemList())).toString();
    assert.deepEqual(names, ['Received= x', 'Subject= one\r\n two', 'Content-Type= text/html', 'X= y']);
    assert.equal(mime, 'content-type: text/html\r\n\r\n');
    let body = Buffer.from(rest).toString();
    for await (const chunk of chunks) body += chunk.toString();
    assert.equal(body, 'body\r\nmore');
  });
}

const quoted: readonly [string, string][] = [
  ['a=3Db', 'a=b'],
  ['a=\r\nb', 'ab'],
  ['a= \t\r\nb', 'ab'],
  ['a  \r\nb', 'a\r\nb'],
  ['a  b', 'a  b'],
  ['=C3=bc', 'ü'],
  ['=ZZ=4', '=ZZ=4'],
  ['a=', 'a'],
  ['ü raw', 'ü raw'],
  ['== 3D', '== 3D'],
  ['a =\r\n b', 'a  b'],
];
for (const [given, expected] of quoted) {
  test(`quoted-printable ${JSON.stringify(given)} is ${JSON.stringify(expected)}, cut anywhere`, async () => {
    const bytes = Buffer.from(given);
    for (let size = 1; size <= bytes.length; size += 1) {
      const decoder = createQuotedPrintableDecoder();
      for (let at = 0; at < bytes.length; at += size) decoder.write(bytes.subarray(at, at + size));
      decoder.end();
      assert.equal(Buffer.concat(await decoder.toArray()).toString(), expected, `in chunks of ${size}`);
    }
  });
}

test('problems are given once each, and no more than there is room for', () => {
  const problems = createProblemList();
  problems.add('malformed-date', 'x');
  problems.add('malformed-date', 'x');
  assert.equal(problems.list().length, 1);
  for (let n = 0; n < 500; n += 1) problems.add('malformed-mime', `${n}`);
  assert.equal(problems.list().length, 100);
  assert.equal(problems.list().at(-1)?.code, 'too-many-problems');
});
