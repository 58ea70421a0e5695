// Whether an attempt may start, as a table: the job, the delivery's record, its hosts, and the time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isBackedOff,
  mayStart,
  type StartAnswer,
  type StartFacts,
  type Unavailable,
} from '#functions/deliver/may-start.ts';
import type { RecipientDelivery } from '#mail/envelope/recipient.ts';
import { newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';

const receivedAt = '2026-11-21T12:00:00.000Z';
const expiresAt = '2026-11-26T12:00:00.000Z';
const job = sampleDeliverJob({ receivedAt, expiresAt });
const fresh = newDeliveryState(job, Date.parse(receivedAt));
const minute = 60_000;
const hour = 60 * minute;
const after = (ms: number): string => new Date(Date.parse(receivedAt) + ms).toISOString();

const settled = (state: RecipientDelivery['state']) => fresh.recipients.map((recipient) => ({ ...recipient, state }));
const leaseOf = (owner: string) => ({ attempt: 3, owner, at: after(0), until: after(30 * minute) });
const nextOf = (attempt: number, ms: number) => ({ attempt, at: after(ms), reason: 'it said later', queued: true });
const notice = { id: job.id, at: after(0), outcome: 'owed' as const, reason: null, recipients: [] };
const busy: Unavailable = { outcome: 'busy', waitMs: 250, reason: 'it has as many as it may have' };
const backOff = {
  schema: 'destination/1' as const,
  destination: '192.0.2.1 port 25',
  failures: 1,
  at: after(0),
  until: after(10 * minute),
  reason: 'mx.far.example: 421',
};
const backedOff: Unavailable = { outcome: 'backed-off', backOff };
const shown = `192.0.2.1 port 25 is backed off until ${after(10 * minute)}: mx.far.example: 421`;
const started = (attempt: number, unasked: string | null = null): StartAnswer => ({
  answer: 'start',
  attempt,
  unasked,
});

const cases: readonly {
  readonly title: string;
  readonly job?: Partial<StartFacts['job']>;
  readonly record?: Partial<StartFacts['record']>;
  readonly unavailable?: Unavailable;
  readonly soleWorker?: boolean;
  readonly ms?: number;
  readonly answer: StartAnswer;
}[] = [
  { title: 'a job without a history starts with its own number', answer: started(1) },
  {
    title: 'the attempt that the record plans starts whenever the queue hands it out',
    job: { attempt: 2 },
    record: { next: nextOf(2, hour) },
    answer: started(2),
  },
  {
    title: 'a job of an attempt that is over is done',
    record: { next: nextOf(2, 5 * minute) },
    answer: { answer: 'done', isOwing: false },
  },
  {
    title: 'a job whose next attempt is not queued yet leaves that to be done',
    record: { next: { ...nextOf(2, 5 * minute), queued: false } },
    answer: { answer: 'done', isOwing: true },
  },
  {
    title: 'a job whose recipients are all delivered is done',
    record: { recipients: settled('delivered') },
    answer: { answer: 'done', isOwing: false },
  },
  {
    title: 'a job whose sender is owed a report leaves that to be done',
    record: { recipients: settled('bounced'), notices: [notice] },
    answer: { answer: 'done', isOwing: true },
  },
  {
    title: "another worker's lease is waited for",
    record: { lease: leaseOf('another') },
    answer: { answer: 'wait', until: after(30 * minute), reason: 'another worker is at it' },
  },
  {
    title: "another worker's lease that ran out is taken over with its number",
    record: { lease: leaseOf('another') },
    ms: 31 * minute,
    answer: started(3),
  },
  {
    title: 'a lease of this process is one that it failed to end',
    record: { lease: leaseOf('me') },
    answer: started(3),
  },
  {
    title: 'if no other process works here, a lease of another is that of a dead one',
    record: { lease: leaseOf('another') },
    soleWorker: true,
    answer: started(3),
  },
  {
    title: 'a dead letter with somebody left to give up is given up',
    job: { givenUp: { queue: 'deliver', reason: 'it failed' } },
    unavailable: busy,
    answer: { answer: 'give-up' },
  },
  {
    title: 'a dead letter with nobody left is done',
    job: { givenUp: { queue: 'deliver', reason: 'it failed' } },
    record: { recipients: settled('bounced') },
    answer: { answer: 'done', isOwing: false },
  },
  {
    title: 'a host without a free slot is waited for as long as the others are expected to take',
    unavailable: busy,
    answer: { answer: 'wait', until: after(250), reason: busy.reason },
  },
  {
    title: 'a destination that is backed off is waited for, spread over half of its wait',
    unavailable: backedOff,
    answer: { answer: 'wait', until: after(12.5 * minute), reason: shown },
  },
  {
    title: 'a back-off that is over just now is still waited for for a second',
    unavailable: backedOff,
    ms: 15 * minute,
    answer: { answer: 'wait', until: after(15 * minute + 1_000), reason: shown },
  },
  {
    title: 'no wait is longer than the message lives',
    job: { expiresAt: after(2 * minute) },
    unavailable: backedOff,
    answer: { answer: 'wait', until: after(2 * minute), reason: shown },
  },
  {
    title: 'a message that expires while it waits makes its last attempt without a host',
    job: { expiresAt: after(0) },
    unavailable: backedOff,
    answer: started(1, shown),
  },
  {
    title: 'a sender who is to be warned is, though no host may be asked',
    unavailable: busy,
    ms: 4 * hour,
    answer: started(1, busy.reason),
  },
  {
    title: 'a sender who was warned is not warned again',
    record: { warnedAt: after(4 * hour) },
    unavailable: busy,
    ms: 5 * hour,
    answer: { answer: 'wait', until: after(5 * hour + 250), reason: busy.reason },
  },
];

for (const { title, answer, ms = 0, soleWorker = false, unavailable = null, ...given } of cases) {
  test(title, () => {
    const facts = {
      job: { ...job, ...given.job },
      record: { ...fresh, ...given.record },
      unavailable,
      worker: { owner: 'me', soleWorker },
      delayWarningSeconds: 14_400,
      now: Date.parse(receivedAt) + ms,
      random: 0.5,
    };
    assert.deepEqual(mayStart(facts), answer);
  });
}

test('a destination is asked if it has no record, when its back-off is over, and when a person wants it now', () => {
  const now = Date.parse(backOff.until);
  assert.equal(isBackedOff(null, {}, now - 1), false);
  assert.equal(isBackedOff(backOff, {}, now - 1), true);
  assert.equal(isBackedOff(backOff, {}, now), false);
  assert.equal(isBackedOff(backOff, { tryNow: true }, now - 1), false);
});
