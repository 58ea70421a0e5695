// Searches as Mailpit's users write them, in our words; and each of those is one that our search understands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isProblem } from '#mail/problem.ts';
import { fromMailpitSearch } from '#ops/mailpit/mailpit-search.ts';
import { parseSearch } from '#ops/messages/search-query.ts';

for (const [theirs, ours] of [
  ['subject:Welcome to Our App', 'subject:Welcome to Our App'],
  ['from:ann@a.test !is:read -tag:work', 'from:ann@a.test -is:read -tag:work'],
  ['cc:bob !bcc:"Carl C"', 'header:Cc=bob -to:"Carl C"'],
  ['addressed:x@y.test', 'to:x@y.test'],
  ['reply-to:"the desk"', 'header:"Reply-To=the desk"'],
  ['message-id:1@a.test', 'header:Message-ID=1@a.test'],
  ['has:inline before:2026/11/27 after:"2026/11/01"', 'has:attachment before:2026-11-27 after:"2026-11-01"'],
  ['"hello! cc: you"', '"hello! cc: you"'],
] as const) {
  test(`${theirs} is ${ours}`, () => {
    assert.equal(fromMailpitSearch(theirs), ours);
    const read = parseSearch(ours);
    assert.ok(!isProblem(read), JSON.stringify(read));
  });
}
