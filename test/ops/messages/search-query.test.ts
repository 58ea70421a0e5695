// What may be written into a search: words, phrases, fields and what is told where something is not understood.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isProblem } from '#mail/problem.ts';
import { summarise } from '#ops/messages/message-summary.ts';
import { matchesSearch, searchTexts } from '#ops/messages/search-match.ts';
import { parseSearch, searchFields } from '#ops/messages/search-query.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';

const attachment = { contentType: 'application/pdf', bytes: 9, sha256: '0'.repeat(64), contentId: null, inline: false };
const message = sampleMessage({
  subject: 'Rechnung  für den Käfig',
  text: 'Good\nmorning, Ann. See http://shop.example/a',
  to: [{ name: 'Ann', address: 'ann@a.example', group: null }],
  cc: [{ name: '', address: 'carl@c.example', group: null }],
  headers: [
    { name: 'X-Campaign', raw: ' Spring 7', value: 'Spring 7' },
    { name: 'Subject', raw: ' x', value: 'x' },
  ],
  attachments: [{ ...attachment, filename: 'Bill.pdf', key: 'attachments/1' }],
  raw: { key: 'raw/x', bytes: 102_401, sha256: '0'.repeat(64) },
});
const summary = { ...summarise('inbox/x', message), read: true, tags: ['To do'] };

const finds = (q: string): boolean => {
  const search = parseSearch(q);
  assert.ok(!isProblem(search), isProblem(search) ? search.problem : '');
  return matchesSearch(search, summary, searchTexts(message));
};

const found = [
  ['', 'KÄFIG morning', '"good morning,"', 'bob@b', 'bill.pdf', 'http://shop', summary.id.toLowerCase()],
  ['from:bob', 'from:"Bob <bob@b"', 'to:carl', 'to:ann@a.example', 'subject:"rechnung für"', 'FROM:BOB'],
  ['tag:"to do"', 'mailbox:ann@', `id:${summary.id}`, `id:${summary.id.slice(0, 8)}`, 'has:attachment', 'is:read'],
  ['verdict:pass', 'verdict:accept', 'before:2025-11-22', 'after:2025-11-21', 'after:2025-11-21T03:00:00Z'],
  ['larger:100k', 'smaller:1m', 'header:X-Campaign', 'header:x-campaign=spring', 'header:"X-Campaign=spring 7"'],
  [
    'address:bob@b',
    'address:carl',
    'is:tagged',
    'header:x-campaign~ing',
    'header:"X-Campaign~ring 7"',
    '-header:x-campaign~whale',
  ],
  ['-whale', '-is:unread', '-tag:late', 'rechnung -"good evening" is:read -from:eve'],
].flat();
const lost = [
  ['whale', '"morning good"', 'x-campaign', 'from:ann', 'to:bob', 'subject:morning', 'tag:to', 'mailbox:bob'],
  ['id:01x', '-has:attachment', 'is:unread', 'is:quarantined', 'verdict:fail', 'verdict:quarantine'],
  ['before:2025-11-21', 'after:2025-11-22', 'before:2025-11-21T03:00:00Z', 'larger:102401', 'smaller:102401'],
  ['address:whale', '-is:tagged', 'header:x-campaign~whale', 'header:campaign~ing', '-header:X-Campaign~7'],
  ['header:campaign', 'header:X-Campaign=7', '-käfig', 'käfig whale', '-is:read', '-from:bob'],
].flat();

for (const q of found) {
  test(`it is found by ${q === '' ? 'no words at all' : q}`, () => assert.equal(finds(q), true));
}
for (const q of lost) test(`it is not found by ${q}`, () => assert.equal(finds(q), false));

for (const [q, says] of [
  ['colour:red', /no field "colour": there are from, to, address, subject, tag, .*put the text in quotes/],
  ['is:blue', /is: expected read, unread, tagged or quarantined/],
  ['before:yesterday', /before: expected a day \(2026-11-27\)/],
  ['larger:big', /larger: expected a size/],
  ['verdict:good', /verdict: expected pass, fail, none, temperror, permerror, accept, quarantine/],
  ['has:pictures', /has: expected attachment/],
  ['from:', /from: expected part of the name or address of a sender/],
  ['header:=x', /header: expected Name=value/],
  ['a '.repeat(21), /at most 20 words and fields/],
] as const) {
  test(`${q.slice(0, 20)} is refused in words that help`, () => {
    const read = parseSearch(q);
    assert.match(isProblem(read) ? read.problem : 'understood', says);
  });
}

test('docs/operations.md has a row for each field', async () => {
  const page = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  assert.deepEqual(
    searchFields.filter((field) => !page.includes(`| \`${field}:`)),
    [],
  );
});
