// The rule of who may be told: a table over what may be known of a sender.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '#mail/envelope/envelope.ts';
import type { Authentication } from '#pipeline/contract/jobs.ts';
import { proveSender, type ReportedJob, whyNotTold } from '#pipeline/contract/sender-proof.ts';
import { sampleDeliverJob, sampleReceivedJob, withEnvelope } from '#test/support/samples/sample-jobs.ts';

type Found = {
  readonly spf?: readonly [Authentication['spf']['result'], string | null];
  readonly dkim?: readonly (readonly [Authentication['dkim'][number]['result'], string | null])[];
  readonly dmarc?: readonly [Authentication['dmarc']['result'], string | null];
};

function authentication({ spf = ['none', null], dkim = [], dmarc = ['none', null] }: Found): Authentication {
  const signature = { selector: 's1', algorithm: 'rsa-sha256', reason: '' };
  return {
    spf: { result: spf[0], domain: spf[1], reason: '' },
    dkim: dkim.map(([result, domain]) => ({ ...signature, result, domain })),
    dmarc: { result: dmarc[0], domain: dmarc[1], policy: null, aligned: { spf: false, dkim: false }, reason: '' },
    arc: { result: 'none', instances: 0, reason: '' },
    results: '',
    evidence: [],
  };
}

const user = { role: 'submission', user: 'app' } as const;
const ours = { role: 'internal', clientIp: null } as const;
type Row = {
  readonly title: string;
  readonly reversePath?: string;
  readonly found?: Found;
  readonly session?: Partial<Session>;
  readonly by: 'login' | 'internal' | 'spf' | 'dkim' | 'dmarc' | null;
};
const wrongSpf = ['none', 'neutral', 'fail', 'softfail', 'temperror', 'permerror'] as const;
const rows: readonly Row[] = [
  { title: 'a user who logged in', session: user, by: 'login' },
  {
    title: 'a name that was told to an mx listener, which only a capture server takes',
    session: { user: 'app' },
    by: null,
  },
  { title: 'mail of our own', session: ours, by: 'internal' },
  { title: 'a stranger of whom nothing was found out', by: null },
  { title: 'SPF that passes for the domain', found: { spf: ['pass', 'sender.example'] }, by: 'spf' },
  { title: 'SPF that passes for the HELO name only', found: { spf: ['pass', 'mx.evil.example'] }, by: null },
  { title: 'SPF that passes for a parent domain', found: { spf: ['pass', 'example'] }, by: null },
  ...wrongSpf.map((result): Row => ({ title: `SPF ${result}`, found: { spf: [result, 'sender.example'] }, by: null })),
  { title: 'DMARC of the domain', found: { dmarc: ['pass', 'sender.example'] }, by: 'dmarc' },
  { title: 'DMARC of an attacker’s domain', found: { dmarc: ['pass', 'evil.example'] }, by: null },
  { title: 'DMARC of a subdomain', found: { dmarc: ['pass', 'evil.sender.example'] }, by: null },
  { title: 'DMARC that fails', found: { dmarc: ['fail', 'sender.example'] }, by: null },
  { title: 'a signature of the domain', found: { dkim: [['pass', 'Sender.example']] }, by: 'dkim' },
  ...(['fail', 'softfail'] as const).flatMap((result): Row[] => [
    {
      title: `a signature of the domain where SPF is ${result}: it may be a replay`,
      found: { spf: [result, 'sender.example'], dkim: [['pass', 'sender.example']] },
      by: null,
    },
    {
      title: `DMARC of the domain where SPF is ${result}`,
      found: { spf: [result, 'sender.example'], dmarc: ['pass', 'sender.example'] },
      by: null,
    },
  ]),
  ...(['neutral', 'temperror', 'permerror'] as const).map(
    (result): Row => ({
      title: `a signature of the domain where SPF is ${result}`,
      found: { spf: [result, 'sender.example'], dkim: [['pass', 'sender.example']] },
      by: 'dkim',
    }),
  ),
  {
    title: 'a signature of the domain among others',
    found: {
      dkim: [
        ['fail', 'sender.example'],
        ['pass', 'list.example'],
        ['pass', 'sender.example'],
      ],
    },
    by: 'dkim',
  },
  {
    title: 'a signature of a parent domain',
    reversePath: 'b+1@bounces.sender.example',
    found: { dkim: [['pass', 'sender.example']] },
    by: 'dkim',
  },
  { title: 'a signature of a top-level domain', found: { dkim: [['pass', 'example']] }, by: null },
  { title: 'a signature of a subdomain', found: { dkim: [['pass', 'evil.sender.example']] }, by: null },
  { title: 'a signature of a domain that ends alike', found: { dkim: [['pass', 'ender.example']] }, by: null },
  { title: 'a signature of an attacker', found: { dkim: [['pass', 'evil.example']] }, by: null },
  { title: 'a signature that covers a part only', found: { dkim: [['policy', 'sender.example']] }, by: null },
  { title: 'a broken signature', found: { dkim: [['fail', 'sender.example']] }, by: null },
];

for (const { title, reversePath = 'ann@sender.example', found, session, by } of rows) {
  test(`${title} ${by === null ? 'proves no sender' : `proves the sender, by ${by}`}`, () => {
    const sample = sampleReceivedJob({ reversePath });
    const job: ReportedJob = {
      ...withEnvelope(sample, { session: { ...sample.envelope.session, ...session } }),
      ...(found === undefined ? {} : { authentication: authentication(found) }),
    };
    const proof = proveSender(job);
    assert.equal(proof.proven ? proof.by : null, by);
    assert.equal(whyNotTold(job) === null, by !== null);
    assert.match(
      whyNotTold({ ...job, envelope: { ...job.envelope, reversePath: '' } }) ?? '',
      /^the reverse-path is null/,
    );
  });
}

test('what a stage before found out is believed; without it a stranger is not told, and why is a sentence', () => {
  const job = sampleDeliverJob({ reversePath: 'SRS0=x=y=sender.example=ann@ours.example' });
  assert.equal(whyNotTold({ ...job, sender: { proven: true, by: 'spf' } }), null);
  assert.equal(
    whyNotTold({ ...job, sender: { proven: false, reason: 'SPF of a.example is fail' } }),
    'the sender is not proven: SPF of a.example is fail; no report was sent',
  );
  assert.match(whyNotTold(job) ?? '', /^the sender is not proven: .* was not judged; no report was sent$/);
});
