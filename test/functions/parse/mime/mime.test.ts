// The structure of bodies where programs differ, and what RFC 2045 and 2046 say of it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createParser } from '#functions/parse/worker/parser.ts';
import { parsed } from '#test/functions/parse/parse-job.ts';

const parser = createParser();
after(() => parser.close());

type Row = {
  readonly title: string;
  readonly type?: string;
  readonly encoding?: string;
  readonly body: string;
  readonly text: string | null;
  readonly html?: string;
  /** `contentType bytes` of each. */
  readonly attachments?: readonly string[];
  readonly problems?: readonly string[];
};

const mixed = 'multipart/mixed; boundary=o';
const plain = 'Content-Type: text/plain\n\n';

const rows: readonly Row[] = [
  {
    title: 'blanks behind a boundary are padding (RFC 2046 §5.1.1)',
    type: mixed,
    body: `--o \t\n${plain}one\n--o  \n${plain}two\n--o-- \t \n`,
    text: 'one\ntwo',
  },
  {
    title: 'the boundary of an outer multipart ends an inner one that was never closed (RFC 2046 §5.1.2)',
    type: mixed,
    body: `--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\n${plain}in\n--o\nContent-Type: application/pdf\n\nout\n--o--\n`,
    text: 'in',
    attachments: ['application/pdf 3'],
    problems: ['malformed-mime'],
  },
  {
    title: 'so does the end of the outermost of three',
    type: mixed,
    body: `--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\nContent-Type: multipart/mixed; boundary=j\n\n--j\n${plain}in\n--o--\nepilogue\n`,
    text: 'in',
    problems: ['malformed-mime'],
  },
  {
    title: 'a boundary that another one begins with is another one',
    type: mixed,
    body: `--o\nContent-Type: multipart/mixed; boundary=o2\n\n--o2\n${plain}in\n--o2--\n--o\n${plain}out\n--o--\n`,
    text: 'in\nout',
  },
  {
    title: 'only a multipart has a boundary',
    type: 'text/plain; boundary=o',
    body: '--o\nContent-Type: text/html\n\n<p>\n--o--\n',
    text: '--o\nContent-Type: text/html\n\n<p>\n--o--\n',
  },
  {
    title: 'what a digest holds are messages (RFC 2046 §5.1.5)',
    type: 'multipart/digest; boundary=o',
    body: `--o\n\nSubject: one\n\n1\n--o\nContent-Type: text/plain\n\nnot one\n--o--\n`,
    text: 'not one',
    attachments: ['message/rfc822 17'],
  },
  {
    title: 'a part whose header ends in text keeps that text',
    type: mixed,
    body: `--o\nContent-Type: text/plain\nthe first line\nthe second\n--o--\n`,
    text: 'the first line\nthe second\n',
    problems: ['malformed-mime'],
  },
  {
    title: 'an attachment whose type is empty is bytes of no known type',
    type: mixed,
    body: `--o\nContent-Type: ; name=a\nContent-Disposition: attachment\n\nab\n--o--\n`,
    text: null,
    attachments: ['application/octet-stream 2'],
    problems: ['malformed-mime', 'malformed-content-type'],
  },
  {
    title: 'a part that is a header alone is a part',
    type: mixed,
    body: `--o\nContent-Type: application/pdf\n--o\n${plain}text\n--o--\n`,
    text: 'text',
    attachments: ['application/pdf 0'],
  },
  {
    title: 'comments in the fields about a body (RFC 2045 §5.1)',
    type: 'text/html (what it is); charset="utf-8" (its (own) charset)',
    encoding: '(how) quoted-printable (it is written)',
    body: '<p>=C3=BC</p>\n',
    text: null,
    html: '<p>ü</p>\n',
  },
  {
    title: 'the same in a part; a name with parentheses is none',
    type: mixed,
    body: '--o\nContent-Type: application/pdf (a file); name=report (1).pdf\nContent-Transfer-Encoding: base64 (x)\n\nQUJD\n--o--\n',
    text: null,
    attachments: ['application/pdf 3'],
  },
  {
    title: 'an unknown encoding is named, and its content is as it stands',
    encoding: 'x-uuencode',
    body: 'begin 644 a\n#86)C\n \nend\n',
    text: 'begin 644 a\n#86)C\n \nend\n',
    problems: ['malformed-mime'],
  },
  { title: 'a byte order mark is no text', body: '\ufeffhello\n', text: 'hello\n' },
  {
    title: 'ISO-2022-JP with an empty switch',
    type: 'text/plain; charset=iso-2022-jp',
    body: '\x1b$BF|\x1b(B\x1b$BK\\\x1b(B\n',
    text: '日本\n',
  },
  {
    title: 'ISO-2022-KR',
    type: 'text/plain; charset=iso-2022-kr',
    body: '\x1b$)C\x0eGQ19>n\x0f ok\n',
    text: '한국어 ok\n',
  },
  { title: 'HZ', type: 'text/plain; charset=hz-gb-2312', body: '~{VPND~} ~~\n', text: '中文 ~\n' },
  { title: 'UTF-7', type: 'text/plain; charset=utf-7', body: 'Gr+APwA3w-e 1 +- 1\n', text: 'Grüße 1 + 1\n' },
];

for (const {
  title,
  type = 'text/plain',
  encoding = '8bit',
  body,
  text,
  html,
  attachments = [],
  problems = [],
} of rows) {
  test(title, async () => {
    const head = `From: a@a.example\nContent-Type: ${type}\nContent-Transfer-Encoding: ${encoding}\n\n`;
    const stored = Buffer.from((head + body).replaceAll('\n', '\r\n'));
    const { message } = await parsed(parser, stored);
    assert.equal(message.text, text);
    assert.equal(message.html, html ?? null);
    assert.deepEqual(
      message.attachments.map(({ contentType, bytes }) => `${contentType} ${bytes}`),
      attachments,
    );
    assert.deepEqual(
      message.problems.map(({ code }) => code),
      problems,
    );
  });
}
