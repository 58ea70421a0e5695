// The envelope beside a stored message: what is written is read as it was, today's form and those of earlier versions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoutedEnvelope } from '#mail/envelope/envelope.ts';
import { parseStoredEnvelope, storedForm } from '#mail/envelope/stored-envelope.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

const identity = { id: '01KAJ5Q8M0AAAAAAAAAAAAAAAA', receivedAt: '2026-11-21T08:00:00.000Z' };
const { envelope } = sampleReceivedJob();
const noDsn = { notify: null, orcpt: null };
const relay = { kind: 'relay' } as const;

test('a usual envelope is stored without what is usual', () => {
  assert.deepEqual(Object.keys(storedForm(envelope, identity)), [
    'id',
    'receivedAt',
    'session',
    'reversePath',
    'forwardPaths',
  ]);
});

const rows: readonly { readonly title: string; readonly over: Partial<RoutedEnvelope> }[] = [
  { title: 'a usual one', over: {} },
  {
    title: 'one with all that MAIL may ask',
    over: {
      bodyType: 'binarymime',
      smtpUtf8: true,
      requireTls: true,
      mtPriority: 4,
      dsn: { ret: 'full', envid: 'a b' },
    },
  },
  {
    title: 'one with a recipient that asks for reports',
    over: {
      recipients: [
        { forwardPath: '__proto__@receiver.example', dsn: noDsn, route: relay },
        { forwardPath: 'b@receiver.example', dsn: { notify: ['never'], orcpt: 'rfc822;c@d.example' }, route: relay },
      ],
    },
  },
  { title: 'one from the null reverse-path', over: { reversePath: '' } },
];
for (const { title, over } of rows) {
  test(`${title} is read as it was written, without its routes`, () => {
    const written = { ...envelope, ...over };
    const recipients = written.recipients.map(({ forwardPath, dsn }) => ({ forwardPath, dsn }));
    const text = JSON.stringify(storedForm(written, identity));
    assert.deepEqual(parseStoredEnvelope(text), { ...written, receivedAt: identity.receivedAt, recipients });
  });
}

test('an alias with several routes is stored as the one address that the sender wrote', () => {
  const [recipient] = envelope.recipients;
  const text = JSON.stringify(
    storedForm({ ...envelope, recipients: [recipient!, { ...recipient!, route: relay }] }, identity),
  );
  assert.equal(parseStoredEnvelope(text)?.recipients.length, 1);
});

test('what an earlier version stored for mail of its own, without a session or a time, is read', () => {
  const text = '{"role":"internal","reversePath":"","forwardPaths":["a@b.example"]}';
  assert.deepEqual(parseStoredEnvelope(text), {
    receivedAt: null,
    session: null,
    reversePath: '',
    bodyType: '7bit',
    smtpUtf8: false,
    requireTls: false,
    mtPriority: 0,
    dsn: { ret: null, envid: null },
    recipients: [{ forwardPath: 'a@b.example', dsn: noDsn }],
  });
});

test('what is no envelope is none', () => {
  for (const text of ['', '{', '[]', 'null', '{"reversePath":1}']) assert.equal(parseStoredEnvelope(text), null, text);
});
