// Whom a reader may take for the author: addresses, and what names and comments show; all else is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '#mail/address.ts';
import { isProblem } from '#mail/problem.ts';
import { readShownAuthors } from '#mail/shown-authors.ts';
import { cpuMs } from './cpu-time.ts';

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
  { text: `=?utf-7?q?boss+AEA-evil.test?= <${app}>`, named: ['boss@evil.test'] },
  { text: `boss＠evil.test <${app}>`, named: ['boss@evil.test'] },
  { text: `=?utf-8?q?J=C3=BCrgen?= <${app}>` },
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
  { text: `=?x-none?q?boss=40evil.test?= <${app}>`, mailboxes: null },
  { text: `=?utf-8?b?Ym9z!c0Bl?= <${app}>`, mailboxes: null },
  { text: Array(101).fill(app).join(), mailboxes: null },
]) {
  test(`${JSON.stringify(text.slice(0, 80))} ${mailboxes === null ? 'is refused' : `shows ${[...mailboxes, ...named]}`}`, () => {
    const read = readShownAuthors(text);
    if (isProblem(read)) assert.equal(mailboxes, null, read.problem);
    else assert.deepEqual([read.mailboxes.map(formatAddress), read.named.map(formatAddress)], [mailboxes, named]);
  });
}

test('the longest field takes no longer than its length', () => {
  for (const piece of ['a', '@', ' @', "'", '(', '=?', '=?a?q?', '"\\', 'a@b.c ', "'@'.", '<a@b.c>,']) {
    const text = `(${piece.repeat(65_000 / piece.length)}) <${app}>`;
    assert.ok(cpuMs(() => readShownAuthors(text)) < 500, piece);
  }
});
