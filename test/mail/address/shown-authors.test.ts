// Whom a reader may take for the author: addresses, and what names and comments show; all else is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '#mail/address/address.ts';
import { readShownAuthors } from '#mail/address/shown-authors.ts';
import { isProblem } from '#mail/problem.ts';
import { cpuMs } from '#test/support/time/cpu-time.ts';

const app = 'app@example.test';

for (const { text, mailboxes = [app], named = [] } of [
  { text: app },
  { text: `<${app}>` },
  { text: ` App (the (one\\)) team) <${app}> (x) ` },
  { text: `"App, the" <${app}>, b@example.test`, mailboxes: [app, 'b@example.test'] },
  { text: `"odd one"@example.test`, mailboxes: ['"odd one"@example.test'] },
  { text: `[list] J. Doe <${app}>` },
  { text: `Ann @ Acme, <${app}>`, mailboxes: null },
  { text: `"Ann @ Acme" <${app}>` },
  { text: `"@ann" <${app}>` },
  { text: `"'${app}'" <${app}>`, named: [app] },
  { text: `"boss@evil.test" <${app}>`, named: ['boss@evil.test'] },
  { text: `"boss @ evil.test." <${app}>`, named: ['boss@evil.test'] },
  { text: `${app} (write to boss@evil.test!)`, named: ['boss@evil.test'] },
  { text: `=?utf-8?q?boss=40?= =?utf-8?q?evil.test?= <${app}>`, named: ['boss@evil.test'] },
  { text: `=?utf-8?b?Ym9zc0BldmlsLnRlc3Q=?= <${app}>`, named: ['boss@evil.test'] },
  { text: `boss＠evil.test <${app}>`, named: ['boss@evil.test'] },
  { text: `=?utf-8?q?J=C3=BCrgen?= <${app}>` },
  { text: `"=?iso-8859-1?q?J=FCrgen_M?=" <${app}>` },
  { text: `=?iso-2022-jp?b?GyRCQCRMQDpHPWkbKEI=?= <${app}>` },
  { text: `=?shift_jis?b?jlKTY4FAkb6YWQ==?= <${app}>` },
  { text: `=?gb2312?b?1cWBQA==?= =?gb2312?b?1cU=?= <${app}>` },
  { text: `=?utf-8?q?Caf=40_Milano?= <${app}>` },
  { text: `${app} <${app}>`, named: [app] },
  { text: `'${app}' <${app}>`, named: [app] },
  { text: `boss@evil.test <${app}>`, named: ['boss@evil.test'] },
  { text: `x boss@evil.test <${app}>`, mailboxes: null },
  { text: `"x"@evil.test <${app}>`, mailboxes: null },
  { text: '', mailboxes: null },
  { text: `${app},`, mailboxes: null },
  { text: `group: ${app};`, mailboxes: null },
  { text: `<@a.test:${app}>`, mailboxes: null },
  { text: `app@(x)example.test`, mailboxes: null },
  { text: `app @example.test`, mailboxes: null },
  { text: `<${app}> <${app}>`, mailboxes: null },
  { text: `boss <${app}`, mailboxes: null },
  { text: `"x <${app}>`, mailboxes: null },
  { text: `"boss@evil.test"@example.test`, mailboxes: null },
  { text: `=?utf-8?q?boss=40evil.test=2C?=x@example.test`, mailboxes: null },
  // What Python's email package or mailparser shows as boss@evil.test, and a stricter reader does not.
  { text: `=?utf-16?b?/v8AYgBvAHMAcwBAAGUAdgBpAGwALgB0AGUAcwB0?= <${app}>`, mailboxes: null },
  { text: `=?utf-7?q?boss+AEA-evil.test?= <${app}>`, mailboxes: null },
  { text: `=?hz-gb-2312?b?fnsjQH59?= <${app}>`, mailboxes: null },
  { text: `=?utf-8?q?x?_boss=40evil.test?= <${app}>`, mailboxes: null },
  { text: `=?utf-8?b?Ym9z??c0BldmlsLnRlc3Q=?= <${app}>`, mailboxes: null },
  { text: `=?utf-8?q?boss= 40evil.test?= <${app}>`, mailboxes: null },
  { text: `=?utf-8?q?boss=40?= (c) =?utf-8?q?evil.test?= <${app}>`, named: ['boss@evil.test'] },
  { text: `=?gb2312?b?Ym9zc4FAZXZpbC50ZXN0?= <${app}>`, mailboxes: null },
  { text: `${app} (=?shift_jis?b?Ym9zc+9AZXZpbC50ZXN0?=)`, mailboxes: null },
  { text: `=?gb2312?q?boss=81?= =?gb2312?q?=40evil.test?= <${app}>`, mailboxes: null },
  { text: `=?iso-2022-jp?b?GyRCCmJvc3NAZXZpbC50ZXN0?= <${app}>`, mailboxes: null },
  { text: `=?iso-2022-jp?b?GyhJYm9zc0BldmlsLnRlc3Q=?= <${app}>`, mailboxes: null },
  { text: `"${app}\t.evil.test" <${app}>`, mailboxes: null },
  { text: `"${app}" (x) ".evil.test" <${app}>`, mailboxes: null },
  { text: `${app} (${app}(x).evil.test)`, mailboxes: null },
  { text: `${app} (${app} (x)y.evil.test)`, mailboxes: null },
  { text: `=?x-none?q?boss=40evil.test?= <${app}>`, mailboxes: null },
  { text: `=?utf-8?b?Ym9z!c0Bl?= <${app}>`, mailboxes: null },
  { text: Array(101).fill(app).join(), mailboxes: null },
]) {
  test(`${JSON.stringify(text.slice(0, 80))} ${mailboxes === null ? 'is refused' : `shows ${[...mailboxes, ...named]}`}`, () => {
    const read = readShownAuthors(text);
    if (isProblem(read)) assert.equal(mailboxes, null, read.problem);
    else
      assert.deepEqual(
        [read.mailboxes.map(formatAddress), [...new Set(read.named.map(formatAddress))]],
        [mailboxes, named],
      );
  });
}

test('the longest field takes no longer than its length', () => {
  for (const piece of [
    '=?gbk?b?',
    '=?gbk?q?a@?=',
    '=?iso-2022-jp?b?GyRCJCI=?=',
    '?=',
    'a',
    '@',
    ' @',
    "'",
    '(',
    '=?',
    '=?a?q?',
    '"\\',
    'a@b.c ',
    "'@'.",
    '<a@b.c>,',
  ]) {
    const text = `(${piece.repeat(65_000 / piece.length)}) <${app}>`;
    assert.ok(cpuMs(() => readShownAuthors(text)) < 500, piece);
  }
});
