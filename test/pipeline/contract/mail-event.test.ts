// The event of a stored message, and who wants it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MailEvent, mailEventOf, mailEventSchema } from '#pipeline/contract/mail-event.ts';
import { isWanted, type MailMatch } from '#pipeline/contract/mail-match.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';

const key = 'inbox/example.org/support/2026/11/21/01KAJ5Q8M0AAAAAAAAAAAAAAAA.json';
const message = sampleMessage();
const address = (text: string) => ({ name: '', address: text, group: null });

test('the event names what rules filter by, addresses in lower case', () => {
  const event = mailEventOf({ ...message, from: [address('Ann@Sender.Example')] }, key);
  assert.deepEqual(mailEventSchema.parse(event), event);
  assert.deepEqual(event.from, ['ann@sender.example']);
  assert.deepEqual([event.key, event.folder, event.truncated], [key, 'inbox', []]);
  assert.equal(mailEventOf(message, key.replace('inbox', 'quarantine')).folder, 'quarantine');
});

test('it is below 64 KiB whatever the message says, and names what it cut', () => {
  const many = Array.from({ length: 1_000 }, (_, n) => address(`${'\u0001'.repeat(200)}${n}@a.example`));
  const attachment = { contentType: 'a/b', bytes: 1, sha256: '0'.repeat(64), key: 'k', contentId: null, inline: false };
  const event = mailEventOf(
    {
      ...message,
      subject: 'ü\u0000'.repeat(20_000),
      from: many,
      to: many,
      attachments: Array.from({ length: 250 }, () => ({ ...attachment, filename: '💌'.repeat(60) })),
      disposition: { action: 'accept', reason: 'x'.repeat(100_000) },
    },
    key,
  );
  assert.ok(Buffer.byteLength(JSON.stringify(event)) < 65_536 - 2_000);
  assert.deepEqual(event.truncated, ['subject', 'from', 'to', 'attachmentNames']);
  assert.ok(event.subject!.startsWith('ü\u0000ü') && event.from.length > 0);
  assert.equal(event.hasAttachment, true);
});

const event: MailEvent = {
  ...mailEventOf(message, key),
  domain: 'example.org',
  mailbox: 'support',
  tag: 'vip',
  from: ['ann@partner.example', 'bob@other.example'],
  subject: 'Invoice 12 (final)',
  dmarc: 'pass',
  hasAttachment: true,
  attachmentNames: ['invoice.pdf'],
};

const cases: readonly { match: MailMatch; wanted: boolean }[] = [
  { match: {}, wanted: true },
  { match: { domain: 'Example.ORG', mailbox: 'support', tag: 'vip' }, wanted: true },
  { match: { mailbox: ['sales', 'support'] }, wanted: true },
  { match: { mailbox: 'sales' }, wanted: false },
  { match: { folder: 'quarantine' }, wanted: false },
  { match: { from: '*@partner.example' }, wanted: true },
  { match: { from: '*@Partner.Example' }, wanted: true },
  { match: { from: '*partner.example.evil' }, wanted: false },
  { match: { subject: 'Invoice*' }, wanted: true },
  { match: { subject: 'invoice*' }, wanted: false },
  { match: { subject: '*12*' }, wanted: true },
  { match: { subject: 'Invoice*1*2*(*)' }, wanted: true },
  { match: { subject: 'Invoice*2*1*' }, wanted: false },
  { match: { subject: 'Invoice.*' }, wanted: false },
  { match: { subject: '*(final)*(final)' }, wanted: false },
  { match: { verdict: ['pass', 'none'] }, wanted: true },
  { match: { verdict: 'fail' }, wanted: false },
  { match: { hasAttachment: false }, wanted: false },
  { match: { attachmentName: '*.pdf', hasAttachment: true }, wanted: true },
  { match: { attachmentName: '*.pdf', from: '*@nobody.example' }, wanted: false },
];
for (const { match, wanted } of cases) {
  test(`${JSON.stringify(match)} ${wanted ? 'wants' : 'does not want'} it`, () => {
    assert.equal(isWanted(match, event), wanted);
  });
}

test('a match that names a field which a message has not does not want that message', () => {
  assert.equal(isWanted({ tag: '*' }, { ...event, tag: null }), false);
  assert.equal(isWanted({ subject: '*' }, { ...event, subject: null }), false);
});
