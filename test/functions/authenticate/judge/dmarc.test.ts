// DMARC by RFC 9989, from the message to the disposition: who is the author, which record speaks for it, what aligns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, plainMessage, runStage } from '#test/functions/authenticate/run-stage.ts';
import type { Zone } from '#test/support/fakes/zone-resolver.ts';

type Row = {
  readonly title: string;
  readonly from?: string;
  /** Header fields in place of the one From field. */
  readonly fields?: readonly string[];
  readonly reversePath?: string;
  readonly zone: Zone;
  readonly result: string;
  readonly policy: string | null;
  readonly action: 'accept' | 'quarantine';
};

const spfPass = { TXT: ['v=spf1 ip4:192.0.2.1 -all'] };
const record = (text: string) => ({ TXT: [text] });

const rows: readonly Row[] = [
  {
    title: 'a domain without a record has no policy',
    from: 'ann@sender.example',
    zone: {},
    result: 'none',
    policy: null,
    action: 'accept',
  },
  {
    title: 'SPF of the same domain vouches for the author',
    from: 'ann@sender.example',
    zone: { 'sender.example': spfPass, '_dmarc.sender.example': record('v=DMARC1; p=reject; aspf=s') },
    result: 'pass',
    policy: 'reject',
    action: 'accept',
  },
  {
    title: 'SPF of a subdomain vouches under relaxed alignment (§3.2.10.1)',
    from: 'ann@sender.example',
    reversePath: 'bounce@mail.sender.example',
    zone: { 'mail.sender.example': spfPass, '_dmarc.sender.example': record('v=DMARC1; p=reject') },
    result: 'pass',
    policy: 'reject',
    action: 'accept',
  },
  {
    title: 'SPF of a subdomain does not vouch under strict alignment (§3.2.10.2)',
    from: 'ann@sender.example',
    reversePath: 'bounce@mail.sender.example',
    zone: { 'mail.sender.example': spfPass, '_dmarc.sender.example': record('v=DMARC1; p=reject; aspf=s') },
    result: 'fail',
    policy: 'reject',
    action: 'quarantine',
  },
  {
    title: 'SPF of a stranger does not vouch',
    from: 'ann@sender.example',
    reversePath: 'eve@evil.test',
    zone: { 'evil.test': spfPass, '_dmarc.sender.example': record('v=DMARC1; p=quarantine') },
    result: 'fail',
    policy: 'quarantine',
    action: 'quarantine',
  },
  {
    title: 'a failure under p=none lands',
    from: 'ann@sender.example',
    zone: { '_dmarc.sender.example': record('v=DMARC1; p=none') },
    result: 'fail',
    policy: 'none',
    action: 'accept',
  },
  {
    title: 'the walk up the tree finds the record of a parent, whose sp= holds (§4.10)',
    from: 'ann@a.b.c.sender.example',
    zone: {
      'a.b.c.sender.example': { A: ['192.0.2.9'] },
      '_dmarc.sender.example': record('v=DMARC1; p=none; sp=reject; np=none'),
    },
    result: 'fail',
    policy: 'reject',
    action: 'quarantine',
  },
  {
    title: 'np= holds for a subdomain that does not exist (§4.7)',
    from: 'ann@nowhere.sender.example',
    zone: { '_dmarc.sender.example': record('v=DMARC1; p=none; sp=none; np=reject') },
    result: 'fail',
    policy: 'reject',
    action: 'quarantine',
  },
  {
    title: 'a public suffix that says psd=y is not the organization: its children do not align (§4.10.2)',
    from: 'ann@one.suffix.example',
    reversePath: 'x@two.suffix.example',
    zone: { 'two.suffix.example': spfPass, '_dmarc.suffix.example': record('v=DMARC1; p=reject; psd=y') },
    result: 'fail',
    policy: 'reject',
    action: 'quarantine',
  },
  {
    title: 'psd=n ends the walk: what stands above is not asked (§4.10.2)',
    from: 'ann@sub.sender.example',
    reversePath: 'x@other.sender.example',
    zone: {
      'other.sender.example': spfPass,
      '_dmarc.sub.sender.example': record('v=DMARC1; p=quarantine; psd=n'),
      '_dmarc.sender.example': record('v=DMARC1; p=none'),
    },
    result: 'fail',
    policy: 'quarantine',
    action: 'quarantine',
  },
  {
    title: 'two records at one name count as none (§4.10)',
    from: 'ann@sender.example',
    zone: { '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject', 'v=DMARC1; p=none'] } },
    result: 'none',
    policy: null,
    action: 'accept',
  },
  {
    title: 'a TXT record that is not DMARC is passed over',
    from: 'ann@sender.example',
    zone: { '_dmarc.sender.example': { TXT: ['hello', 'v=DMARC1; p=reject'] } },
    result: 'fail',
    policy: 'reject',
    action: 'quarantine',
  },
  {
    title: 't=y asks for one step less than it says (§4.7)',
    from: 'ann@sender.example',
    zone: { '_dmarc.sender.example': record('v=DMARC1; p=quarantine; t=y') },
    result: 'fail',
    policy: 'none',
    action: 'accept',
  },
  {
    title: 'a record without a valid p= that asks for reports acts as p=none (§4.10.1)',
    from: 'ann@sender.example',
    zone: { '_dmarc.sender.example': record('v=DMARC1; p=bogus; rua=mailto:r@sender.example') },
    result: 'fail',
    policy: 'none',
    action: 'accept',
  },
  {
    title: 'a message without a From field has nobody to ask',
    fields: ['Subject: hello'],
    zone: {},
    result: 'none',
    policy: null,
    action: 'accept',
  },
  {
    title: 'a second From field does not hide a forged one',
    fields: ['From: eve@evil.test', 'From: ann@sender.example'],
    zone: { 'evil.test': spfPass, '_dmarc.sender.example': record('v=DMARC1; p=reject') },
    reversePath: 'eve@evil.test',
    result: 'permerror',
    policy: 'reject',
    action: 'quarantine',
  },
  {
    title: 'a second address in From does not hide a forged one',
    from: 'eve@evil.test, ann@sender.example',
    zone: { '_dmarc.sender.example': record('v=DMARC1; p=quarantine') },
    result: 'permerror',
    policy: 'quarantine',
    action: 'quarantine',
  },
  {
    title: 'two From addresses of one domain are one author',
    from: 'ann@sender.example, Bob <bob@SENDER.example>',
    zone: { 'sender.example': spfPass, '_dmarc.sender.example': record('v=DMARC1; p=reject') },
    result: 'pass',
    policy: 'reject',
    action: 'accept',
  },
  {
    title: 'an address in the display name is not the author',
    from: '"ann@sender.example" <eve@evil.test>',
    zone: { '_dmarc.sender.example': record('v=DMARC1; p=reject') },
    result: 'none',
    policy: null,
    action: 'accept',
  },
  {
    title: 'an internationalized author is asked for by its A-label',
    from: 'ann@bücher.example',
    zone: { '_dmarc.xn--bcher-kva.example': record('v=DMARC1; p=reject') },
    result: 'fail',
    policy: 'reject',
    action: 'quarantine',
  },
];

for (const { title, from, fields, reversePath = 'ann@sender.example', zone, ...expected } of rows) {
  test(title, async () => {
    const header = fields ?? [`From: ${from}`];
    const { outcome, jobs } = await runStage({
      message: [...header, '', 'Hello', ''].join('\r\n'),
      zone,
      job: { reversePath },
    });
    assert.equal(outcome.outcome, 'handed-on');
    const [job] = jobs.of('parse');
    const { result, policy, reason } = job!.authentication.dmarc;
    assert.deepEqual({ result, policy, action: job!.disposition.action }, expected, reason);
    assert.notEqual(job!.disposition.reason, '');
  });
}

const forged = { message: plainMessage, zone: { '_dmarc.sender.example': record('v=DMARC1; p=reject') } };

test("the recipient's domain may accept what fails DMARC, and the reason says so", async () => {
  const domains = { 'ours.example': { mailboxes: ['bob'], onDmarcFail: 'accept' as const } };
  const { jobs } = await runStage({ ...forged, config: { domains } });
  const disposition = jobs.of('parse')[0]?.disposition;
  assert.equal(disposition?.action, 'accept');
  assert.match(disposition?.reason ?? '', /p=reject.*onDmarcFail/);
});

test('the reason of a quarantine names the policy and who asks for it', async () => {
  const { jobs } = await runStage(forged);
  assert.match(
    jobs.of('parse')[0]?.disposition.reason ?? '',
    /^DMARC failed \(p=reject\): .*sender\.example, which asks for p=reject\.$/,
  );
});

test('SPF of the null reverse-path is that of the HELO name (RFC 7208 §2.4) and may vouch', async () => {
  const { spf, dmarc, results } = await judge({
    zone: { 'mail.sender.example': spfPass, '_dmarc.sender.example': record('v=DMARC1; p=reject') },
    job: { reversePath: '' },
  });
  assert.equal(spf.result, 'pass');
  assert.equal(spf.domain, 'mail.sender.example');
  assert.equal(dmarc.result, 'pass');
  assert.match(results, /spf=pass \([^)]*\) smtp\.helo=mail\.sender\.example/);
});

test('the HELO name is judged beside the reverse-path, and vouches for nobody', async () => {
  const { spf, dmarc, results } = await judge({
    zone: { 'mail.sender.example': spfPass, '_dmarc.sender.example': record('v=DMARC1; p=reject') },
  });
  assert.equal(spf.result, 'none');
  assert.equal(dmarc.result, 'fail');
  assert.match(results, /spf=none .*spf=pass .*smtp\.helo=mail\.sender\.example/);
});
