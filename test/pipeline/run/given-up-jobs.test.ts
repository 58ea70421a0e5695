// Whom the death of a job is told to, and how the deliver stage gets to know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliverJobSchema, type ParseJob } from '#pipeline/contract/jobs.ts';
import { givenUpJobs } from '#pipeline/run/given-up-jobs.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

const nowMs = Date.parse('2026-11-26T02:00:00.000Z');
const submitted = { ...sampleReceivedJob().envelope.session, role: 'submission', user: 'app@sender.example' } as const;
const dsn = { notify: null, orcpt: null };
const mailbox = { domain: 'receiver.example', localPart: 'support', tag: null };

test('of a received message every domain written to is told of, each address once, whatever it led to', () => {
  const job = sampleReceivedJob({
    session: submitted,
    recipients: [
      { forwardPath: 'info@receiver.example', dsn, route: { kind: 'mailbox', mailbox } },
      { forwardPath: 'info@receiver.example', dsn, route: { kind: 'forward', to: ['boss@far.example'] } },
      { forwardPath: 'b@other.example', dsn, route: { kind: 'relay' } },
    ],
  });
  const told = givenUpJobs('received', job, { reason: 'it is gone', nowMs });
  assert.deepEqual(
    told.map(({ domain, envelope: { recipients } }) => [domain, recipients.map(({ forwardPath }) => forwardPath)]),
    [
      ['receiver.example', ['info@receiver.example']],
      ['other.example', ['b@other.example']],
    ],
  );
  for (const one of told) {
    assert.deepEqual(deliverJobSchema.parse(one), one);
    assert.deepEqual(one.givenUp, { queue: 'received', reason: 'it is gone' });
    assert.ok(Date.parse(one.expiresAt) > nowMs);
  }
});

test('of a parse job for 200 mailboxes the proven sender is told in one job, which a queue takes', () => {
  const recipients = Array.from({ length: 200 }, (_, n) => {
    const localPart = `${'m'.repeat(60)}${n}`;
    return { forwardPath: `${localPart}@receiver.example`, dsn, mailbox: { ...mailbox, localPart } };
  });
  const { attempt: _, ...received } = sampleReceivedJob();
  const job = (session: typeof received.envelope.session) =>
    ({ ...received, envelope: { ...received.envelope, session, recipients } }) as unknown as ParseJob;
  const told = givenUpJobs('parse', job(submitted), { reason: 'x', nowMs });
  assert.deepEqual(
    told.map((one) => one.envelope.recipients.length),
    [200],
  );
  assert.ok(JSON.stringify(told[0]).length < 262_144);
  assert.deepEqual(givenUpJobs('parse', job(sampleReceivedJob().envelope.session), { reason: 'x', nowMs }), []);
});

const silent = [
  { who: 'a stranger whose mail was not judged', queue: 'received', job: sampleReceivedJob() },
  { who: 'the null reverse-path', queue: 'received', job: sampleReceivedJob({ session: submitted, reversePath: '' }) },
  { who: 'the sender of a report', queue: 'deliver', job: sampleDeliverJob({ deliveredLocally: true }) },
  { who: 'anybody twice', queue: 'deliver', job: sampleDeliverJob({ givenUp: { queue: 'deliver', reason: 'x' } }) },
] as const;
for (const { who, queue, job } of silent) {
  test(`${who} is told nothing`, () => {
    assert.deepEqual(givenUpJobs(queue, job, { reason: 'x', nowMs }), []);
  });
}
