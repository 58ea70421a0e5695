// Mail made to break parsers: each is stored with what could be read, says what was cut, and holds nobody up.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createParser } from '#functions/parse/worker/parser.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import { parsed } from './parse-job.ts';

const parser = createParser();
after(() => parser.close());

const received = 'Received: from a by b; Sat, 21 Nov 2026 08:00:00 +0000\r\n';
const subject = 'Subject: still here\r\n';
const repeat = (count: number, line: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => line(n)).join('');

function nested(depth: number): string {
  const open = repeat(depth, (n) => `Content-Type: multipart/mixed; boundary="b${n}"\r\n\r\n--b${n}\r\n`);
  return `${received}${subject}MIME-Version: 1.0\r\n${open}Content-Type: text/plain\r\n\r\ndeep\r\n`;
}

function siblings(count: number, part: string): string {
  return `${received}${subject}Content-Type: multipart/mixed; boundary=b\r\n\r\n${repeat(count, () => `--b\r\n${part}\r\n`)}--b--\r\n`;
}

const textBeforeNest = `${received}${subject}Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nbefore\r\n--o\r\n${nested(20_000).slice(received.length + subject.length)}`;

const cases: readonly {
  name: string;
  message: () => string;
  problem: string | null;
  text?: RegExp | null;
  attachments?: number;
}[] = [
  {
    name: 'a text, then 20,000 nested parts',
    message: () => textBeforeNest,
    problem: 'too-many-parts',
    text: /^before$/,
  },
  { name: '20,000 nested parts', message: () => nested(20_000), problem: 'too-many-parts' },
  {
    name: '100,000 attachments',
    message: () => siblings(100_000, 'Content-Type: application/pdf\r\n\r\nx'),
    problem: 'too-many-parts',
    attachments: 250,
  },
  {
    name: '900 attachments',
    message: () => siblings(900, 'Content-Type: application/pdf\r\n\r\nx'),
    problem: 'too-many-attachments',
    attachments: 250,
  },
  {
    name: 'a header of 5 MB in one field',
    message: () => `${received}X-Big: ${'a'.repeat(5_000_000)}\r\n${subject}Content-Type: text/plain\r\n\r\nbody\r\n`,
    problem: 'header-too-large',
    text: /^body\n$/,
  },
  {
    name: 'a header of 5 MB in many fields, with the type of the body at its end',
    message: () =>
      `${received}${subject}${repeat(100_000, (n) => `X-${n}: ${'a'.repeat(40)}\r\n`)}Content-Transfer-Encoding: base64\r\n\r\naGFsbG8=\r\n`,
    problem: 'header-too-large',
    text: /^hallo$/,
  },
  {
    name: 'a header of 5 MB of folds',
    message: () => `${received}${subject}X-Folded: a\r\n${repeat(700_000, () => ' bbbb\r\n')}\r\nbody\r\n`,
    problem: 'header-too-large',
    text: /^body\n$/,
  },
  {
    name: '3 MB of nested <div>',
    message: () => `${received}${subject}Content-Type: text/html\r\n\r\n${repeat(600_000, () => '<div>')}\r\n`,
    problem: 'html-too-deep',
  },
  {
    name: '200 DKIM signatures',
    message: () =>
      `${repeat(200, (n) => `DKIM-Signature: v=1; a=rsa-sha256; d=d${n}.example; s=s; h=from; bh=${'A'.repeat(44)}; b=${'B'.repeat(344)}\r\n`)}${received}${subject}\r\nbody\r\n`,
    problem: 'too-many-signatures',
    text: /^body\n$/,
  },
  {
    name: '100,000 addresses',
    message: () =>
      `${received}${subject}To: ${repeat(100_000, (n) => `a${n}@example.test,\r\n `)}z@example.test\r\n\r\nbody\r\n`,
    problem: 'too-many-addresses',
    text: /^body\n$/,
  },
  {
    name: '10,000 From fields',
    message: () => `${received}${repeat(10_000, (n) => `From: a${n}@example.test\r\n`)}${subject}\r\nbody\r\n`,
    problem: 'duplicate-header',
    text: /^body\n$/,
  },
  {
    name: 'comments nested 100,000 deep in an address',
    message: () => `${received}${subject}From: ${'('.repeat(100_000)}a@example.test\r\n\r\nbody\r\n`,
    problem: null,
    text: /^body\n$/,
  },
  {
    name: '10,000 references',
    message: () =>
      `${received}${subject}References: ${repeat(10_000, (n) => `<${n}@example.test>\r\n `)}\r\n\r\nbody\r\n`,
    problem: 'too-many-references',
    text: /^body\n$/,
  },
  {
    name: '50,000 encoded words',
    message: () => `${received}Subject: still here ${repeat(50_000, () => '=?utf-8?Q?a?=\r\n ')}\r\n\r\nbody\r\n`,
    problem: 'header-too-large',
    text: /^body\n$/,
  },
  {
    name: 'a media type with 100,000 parameters',
    message: () =>
      `${received}${subject}Content-Type: text/plain${repeat(100_000, (n) => `;\r\n p*${n}*=a`)}\r\n\r\nbody\r\n`,
    problem: 'malformed-mime',
    text: /^body\n$/,
  },
  {
    name: 'a part with a header of 2 MB',
    message: () => siblings(1, `X-Big: ${'a'.repeat(2_000_000)}\r\n\r\nx`),
    problem: 'part-header-too-large',
  },
  {
    name: '10 MB of blanks in quoted-printable',
    message: () =>
      `${received}${subject}Content-Transfer-Encoding: quoted-printable\r\n\r\n${' '.repeat(7_000_000)}x\r\n`,
    problem: null,
    text: null,
  },
  {
    name: '5 MB of soft line breaks in quoted-printable',
    message: () =>
      `${received}${subject}Content-Transfer-Encoding: quoted-printable\r\n\r\n${'=\r\n'.repeat(1_700_000)}x`,
    problem: null,
    text: /^x$/,
  },
  {
    name: '3 MB of format=flowed lines that all flow on',
    message: () => `${received}${subject}Content-Type: text/plain; format=flowed\r\n\r\n${'abc \r\n'.repeat(500_000)}`,
    problem: null,
    text: null,
  },
  {
    name: '7 MB of base64 that is one byte over and over',
    message: () =>
      `${received}${subject}Content-Transfer-Encoding: base64\r\n\r\n${`${'A'.repeat(76)}\r\n`.repeat(95_000)}`,
    problem: null,
    text: null,
  },
  {
    name: '2 MB in ISO-2022-JP with an escape at every character',
    message: () =>
      `${received}${subject}Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n${'\x1b$BA\x1b(Ba'.repeat(250_000)}`,
    problem: null,
    text: null,
  },
  {
    name: '40 MB of empty lines',
    message: () => `${received}${subject}\r\n${'\r\n'.repeat(20_000_000)}`,
    problem: null,
    text: null,
  },
  {
    name: '20 MB in ISO-2022-JP',
    message: () =>
      `${received}${subject}Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n${'\x1b$BF|K\\\x1b(B abc\r\n'.repeat(1_250_000)}`,
    problem: null,
    text: null,
  },
  {
    name: 'one line of 10 MB',
    message: () => `${received}${subject}\r\n${'x'.repeat(7_000_000)}`,
    problem: null,
    text: null,
  },
  {
    name: 'a boundary that never comes',
    message: () => `${received}${subject}Content-Type: multipart/mixed; boundary=b\r\n\r\nbody\r\n`,
    problem: 'malformed-mime',
  },
  {
    name: 'a multipart without a boundary',
    message: () => `${received}${subject}Content-Type: multipart/mixed\r\n\r\nbody\r\n`,
    problem: 'malformed-mime',
    text: /^body\n$/,
  },
  { name: 'a body full of boundaries', message: () => siblings(300_000, ''), problem: 'too-many-parts' },
  {
    name: 'parts of 60,000 address characters each',
    message: () => siblings(50, `To: ${'<'.repeat(30_000)}${'@'.repeat(30_000)}\r\n\r\nx`),
    problem: null,
    text: null,
  },
  {
    name: 'boundaries by the million that end nothing any more',
    message: () => {
      const open = Array.from({ length: 400 }, (_, n) => {
        return `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`;
      });
      return `${received}${subject}${open.join('')}\r\nhi\r\n--b399--\r\n${'--b399\r\n'.repeat(1_000_000)}`;
    },
    problem: null,
    text: /^hi$/,
  },
  {
    name: 'quotes and backslashes in an address field',
    message: () => `${received}${subject}To: ${'"\\'.repeat(60_000)}\r\n\r\nbody\r\n`,
    problem: 'malformed-address',
    text: /^body\n$/,
  },
  {
    name: 'control characters only',
    message: () => `${received}${subject}\r\n${'\x01'.repeat(250_000)}`,
    problem: null,
    text: null,
  },
];

for (const { name, message, problem, text, attachments = 0 } of cases) {
  test(`${name}: is stored soon and small, and says what was cut`, async () => {
    const bytes = Buffer.from(message());
    const elapsedMs = stopwatch();
    // The budget is of seconds on the wall, which a busy machine fills slowly; the bound below is tighter, and our own.
    const { message: read, json } = await parsed(parser, bytes, { parse: { budgetSeconds: 60 } });
    const ms = elapsedMs();
    if (process.env['PARSE_TIMES'] !== undefined)
      console.log(name, Math.round(ms), json.length, JSON.stringify(read.problems.map(({ code }) => code)));
    assert.ok(ms < 4_000, `took ${ms} ms`);
    assert.ok(json.length < 1_572_864, `the JSON has ${json.length} characters`);
    assert.match(read.subject ?? '', /^still here/);
    const codes = read.problems.map(({ code }) => code);
    if (problem === null)
      assert.deepEqual(
        codes.filter((code) => /^parse-|too-/.test(code)),
        [],
      );
    else assert.ok(codes.includes(problem), `problems: ${codes.join(', ')}`);
    assert.ok(read.attachments.length >= attachments, `${read.attachments.length} attachments`);
    if (text instanceof RegExp) assert.match(typeof read.text === 'string' ? read.text : 'no text', text);
  });
}
