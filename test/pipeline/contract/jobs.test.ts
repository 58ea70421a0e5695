// Jobs that an earlier version queued, and records that it stored, are read as those of today.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import { deliverJobSchema, parseJobSchema, receivedJobSchema } from '#pipeline/contract/jobs.ts';
import { deliveryStateSchema, newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

type Job = { readonly envelope: ReceivedJob['envelope'] | object };

/** A job as version 1 wrote it: the fields of the envelope among its own. */
function flat({ envelope, ...job }: Job): object {
  // Version 1 knew no priorities.
  return JSON.parse(JSON.stringify({ ...job, ...envelope, mtPriority: undefined, version: 1 }));
}

const received = sampleReceivedJob({ requireTls: true, dsn: { ret: 'hdrs', envid: 'a b' } });
const deliver = sampleDeliverJob({ smtpUtf8: true, sender: { proven: true, by: 'login' } });
const parse = {
  ...(({ attempt: _, ...message }) => message)(received),
  envelope: {
    ...received.envelope,
    recipients: [
      {
        forwardPath: 'support@receiver.example',
        dsn: { notify: ['success'], orcpt: null },
        mailbox: { domain: 'receiver.example', localPart: 'support', tag: null },
      },
    ],
  },
  authentication: {
    spf: { result: 'none', domain: null, reason: 'no record' },
    dkim: [],
    dmarc: { result: 'none', domain: null, policy: null, aligned: { spf: false, dkim: false }, reason: 'no record' },
    arc: { result: 'none', instances: 0, reason: 'no sets' },
    results: 'mx.receiver.example; none',
    evidence: [],
  },
  disposition: { action: 'accept', reason: 'nothing speaks against it' },
};

for (const [queue, schema, job] of [
  ['received', receivedJobSchema, received],
  ['parse', parseJobSchema, parse],
  ['deliver', deliverJobSchema, deliver],
] as const) {
  test(`a job of version 1 on queue ${queue} is read with its envelope`, () => {
    assert.deepEqual(schema.parse(flat(job)), job);
    assert.deepEqual(schema.parse(JSON.parse(JSON.stringify(job))), job);
  });

  test(`a job on queue ${queue} with something unknown in it or in its envelope is refused`, () => {
    assert.equal(schema.safeParse({ ...job, more: 1 }).success, false);
    assert.equal(schema.safeParse({ ...job, envelope: { ...job.envelope, more: 1 } }).success, false);
    assert.equal(schema.safeParse({ ...flat(job), more: 1 }).success, false);
  });
}

test('a delivery that was stored with a job of version 1 is read', () => {
  const state = newDeliveryState(deliver, Date.parse(deliver.receivedAt));
  assert.deepEqual(deliveryStateSchema.parse({ ...state, job: flat(deliver) }), state);
});

for (const { title, own, read } of [
  { title: 'one to be tried now', own: { notBefore: '1970-01-01T00:00:00.000Z' }, read: { tryNow: true } },
  { title: 'one that is due some time', own: { notBefore: deliver.receivedAt }, read: {} },
  {
    title: 'a report of success',
    own: { notBefore: deliver.receivedAt, landed: true },
    read: { deliveredLocally: true },
  },
]) {
  test(`a job of version 1 on queue deliver, ${title}, is read`, () => {
    assert.deepEqual(deliverJobSchema.parse({ ...flat(deliver), ...own }), { ...deliver, ...read });
  });
}
