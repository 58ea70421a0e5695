// Whoever a reader of submitted mail takes for its author may be written as: read by two readers that know nothing of ours.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeSubmission } from '#container/intake/submission-rules.ts';
import { formatReceivedField } from '#mail/header/received-field.ts';

const received = formatReceivedField({
  session: { role: 'submission', clientIp: '192.0.2.1', clientName: null, helo: 'c.test', tls: null, user: 'app' },
  hostname: 'mx.example.test',
  id: 'ID',
  receivedAt: '2026-11-21T12:00:00.000Z',
  forRecipient: null,
  smtpUtf8: false,
});

/** What leaves; null where it is refused. Everybody at example.test may be written as, and nobody else. */
function leaving(header: Buffer): Buffer | null {
  const verdict = judgeSubmission(header, {
    mayFrom: ['*@example.test'],
    reversePath: 'app@example.test',
    id: 'ID',
    hostname: 'mx.example.test',
    nowMs: 0,
  });
  return verdict.outcome === 'accepted' ? Buffer.concat([Buffer.from(received), verdict.header]) : null;
}

const [boss, app] = ['boss@evil.test', 'app@example.test'];
const base64 = (text: string) => `=?utf-8?b?${Buffer.from(text).toString('base64')}?=`;
const values = [
  `${app}`,
  `<${app}>`,
  `App <${app}>`,
  `"App, the" <${app}> (team)`,
  `${boss}`,
  `<${boss}>`,
  `"${boss}" <${app}>`,
  `${boss} <${app}>`,
  `<${boss}> <${app}>`,
  `${app} (${boss})`,
  `${app}, ${boss}`,
  `${app};${boss}`,
  `g: ${boss};, ${app}`,
  `<@evil.test:${app}>`,
  `boss@(x)evil.test`,
  `=?utf-8?q?boss=40evil.test?= <${app}>`,
  `=?utf-8?q?boss=40?= =?utf-8?q?evil.test?= <${app}>`,
  `${base64(boss)} <${app}>`,
  `"${base64(`<${boss}>`)}" <${app}>`,
  `=?utf-7?q?boss+AEA-evil.test?= <${app}>`,
  `=?x-none?q?boss=40evil.test?= <${app}>`,
  `=?utf-16?b?/v8AYgBvAHMAcwBAAGUAdgBpAGwALgB0AGUAcwB0?= <${app}>`,
  `=?utf-8?q?x?_boss=40evil.test?= <${app}>`,
  `=?utf-8?b?Ym9z??c0BldmlsLnRlc3Q=?= (x) <${app}>`,
  `=?gb2312?b?Ym9zc4FAZXZpbC50ZXN0?= <${app}>`,
  `=?utf-8?q?boss=40evil.test=2C?=x@example.test`,
  `${app} <${app}>`,
  `${app} (${app}(x).evil.test)`,
  `"a\r\n ,${app}\tx.evil.test" <${app}>`,
  `"boss@evil.test,"@example.test`,
  `"${boss}\\" <${app}>`,
  `"\\" <${boss}> "<${app}>`,
  `boss\\@evil.test <${app}>`,
  `boss＠evil.test <${app}>`,
  `'${app}' <${app}>`,
  `Ann @ Acme <${app}>`,
  `[list] ${app}`,
];
const names = [
  'From',
  'from',
  'FROM ',
  'From\t',
  'Sender',
  'Resent-From',
  'Author',
  'Subject',
  'To',
  'Fr\0om',
  'From\x0b',
];
const joins = [': ', ':', ':\r\n ', ' : ', ':\r\n\t\r\n '];
const ends = ['\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n\r\n', '\x0c', '\r\n ', ''];
const rubbish = ['', ' ', '\t', `From ${boss}`, 'garbage', ': x', `>From: ${boss}`, `${boss}`, `\r\nFrom: ${boss}`];

const line = fc
  .tuple(fc.constantFrom(...names), fc.constantFrom(...joins), fc.constantFrom(...values), fc.constantFrom(...ends))
  .map((parts) => parts.join(''));
const rubbishLine = fc.tuple(fc.constantFrom(...rubbish), fc.constantFrom(...ends)).map((parts) => parts.join(''));
const octets = fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const plainLine = fc.constantFrom(...values.slice(0, 4), ...values.slice(-3)).map((value) => `From: ${value}\r\n`);
const hostile = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: line },
      { weight: 1, arbitrary: rubbishLine },
      { weight: 1, arbitrary: octets },
      { weight: 3, arbitrary: plainLine },
    ),
    { maxLength: 4 },
  )
  .map((lines) => Buffer.from(`${lines.join('')}\r\n`, 'utf8'));

/** A reader that is easily fooled: any line end ends a line, any blank is part of a name, everything is decoded. */
function gullibleAuthors(message: Buffer): readonly string[] {
  const head = message.toString('utf8').split(/\r\n\r\n/)[0] ?? '';
  const fields = head.replace(/(?:\r\n|\r|\n)[ \t]+/g, ' ').split(/\r\n|[\r\n\v\f\x85\u2028]/);
  const shown = fields.filter((field) => /^[\s>]*(?:resent-)?(?:from|sender)\s*:/i.test(field.replaceAll('\0', '')));
  return shown.flatMap((field) => {
    const value = field.slice(field.indexOf(':') + 1);
    const decoded = value
      .replace(/\?=\s+=\?/g, '?==?')
      .replace(/=\?[^?]*\?b\?([^?]*)\?=/gi, (_, text) => Buffer.from(text, 'base64').toString())
      .replace(/=\?[^?]*\?q\?([^?]*)\?=/gi, (_, text) =>
        text.replace(/=([0-9a-f]{2})/gi, (_all: string, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      );
    return [value, decoded].flatMap((text) => text.normalize('NFKC').match(/[^\s"(),:;<>\\]+@[^\s"(),:;<>\\]+/g) ?? []);
  });
}

const isOurs = (address: string) => /@example\.test['.]?$/i.test(address);

test('whatever octets a header is made of: where it is accepted, a gullible reader sees no author but the allowed', () => {
  let accepted = 0;
  fc.assert(
    fc.property(hostile, (header) => {
      const message = leaving(header);
      if (message === null) return;
      accepted += 1;
      const authors = gullibleAuthors(message);
      assert.ok(authors.length > 0 && authors.every(isOurs), JSON.stringify([message.toString(), authors]));
    }),
    { numRuns: 3_000 },
  );
  assert.ok(accepted > 200, `only ${accepted} were accepted: this proves little`);
});

test("Python's email package sees no author but the allowed in hundreds of hostile headers that are accepted", () => {
  const fixed = values.flatMap((one) => values.map((two) => Buffer.from(`From: ${one}\r\nSender: ${two}\r\n\r\n`)));
  const headers = [...fixed, ...fc.sample(hostile, 3_000)];
  const accepted = headers.map(leaving).filter((message) => message !== null);
  const input = accepted.map((message) => message.toString('base64')).join('\n');
  const { stdout, status } = spawnSync('python3', ['test/support/peers/python-authors.py'], {
    input,
    encoding: 'utf8',
  });
  assert.equal(status, 0);
  const answers = stdout.trim().split('\n');
  assert.equal(answers.length, accepted.length);
  assert.ok(accepted.length > 200, `only ${accepted.length} were accepted`);
  for (const [index, answer] of answers.entries()) {
    const authors: readonly string[] = JSON.parse(answer);
    assert.ok(authors.every(isOurs), `${answer} in ${JSON.stringify(accepted[index]?.toString())}`);
  }
});
