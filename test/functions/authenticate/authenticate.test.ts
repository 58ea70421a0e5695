// The stage as a whole: who is judged, who waits, who gets which job.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#mail/address/address.ts';
import { srsReverse } from '#mail/address/srs.ts';
import type { Session } from '#mail/envelope/envelope.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { judge, mailboxRecipient, noDsn, plainMessage, runStage } from './run-stage.ts';

type Recipient = ReceivedJob['envelope']['recipients'][number];

const relay = (forwardPath: string): Recipient => ({ forwardPath, dsn: noDsn, route: { kind: 'relay' } });
const forward = (forwardPath: string, ...to: string[]): Recipient => ({
  forwardPath,
  dsn: noDsn,
  route: { kind: 'forward', to },
});

const unjudged: readonly {
  readonly title: string;
  readonly session: Partial<Session>;
  readonly mode?: Config['mode'];
  readonly servers?: string[];
  readonly judged: boolean;
}[] = [
  { title: 'mail of a stranger is judged', session: {}, judged: true },
  { title: 'submitted mail is not judged', session: { role: 'submission', user: 'app@ours.example' }, judged: false },
  {
    title: 'mail of a stranger who told port 25 a name is judged',
    session: { user: 'app@ours.example' },
    judged: true,
  },
  {
    title: 'mail submitted over TLS is not judged',
    session: { role: 'submissions', user: 'app@ours.example' },
    judged: false,
  },
  { title: 'our own bounces are not judged', session: { role: 'internal', clientIp: null, helo: null }, judged: false },
  {
    title: 'a capture server does not judge its own machine',
    session: { clientIp: '127.0.0.1' },
    mode: 'capture',
    judged: false,
  },
  { title: 'a capture server does not judge ::1', session: { clientIp: '::1' }, mode: 'capture', judged: false },
  {
    title: 'a capture server does not judge its network',
    session: { clientIp: '192.168.7.7' },
    mode: 'capture',
    judged: false,
  },
  {
    title: 'a capture server does not judge mapped loopback',
    session: { clientIp: '::ffff:127.0.0.1' },
    mode: 'capture',
    judged: false,
  },
  { title: 'a capture server judges strangers', session: { clientIp: '192.0.2.1' }, mode: 'capture', judged: true },
  {
    title: 'a capture server with a DNS of its own judges all',
    session: { clientIp: '127.0.0.1' },
    mode: 'capture',
    servers: ['127.0.0.1:5353'],
    judged: true,
  },
  { title: 'a serving host judges its own machine too', session: { clientIp: '127.0.0.1' }, judged: true },
];

for (const { title, session, mode = 'serve', servers = [], judged } of unjudged) {
  test(title, async () => {
    const resolve = zoneResolver({ 'sender.example': { TXT: ['v=spf1 -all'] } });
    const verdict = await judge({ session, resolve, config: { mode, dns: { servers, temperrorRetrySeconds: [] } } });
    assert.equal(verdict.spf.result, judged ? 'fail' : 'none');
    assert.equal(resolve.queries.length > 0, judged);
    if (judged) return;
    assert.match(verdict.spf.reason, /^Not judged: /);
    assert.equal(verdict.results, 'mx.ours.example; none');
    assert.deepEqual(verdict.evidence, []);
  });
}

test('local recipients go to `parse` in one job, each mailbox once', async () => {
  const recipients = [mailboxRecipient('bob'), mailboxRecipient('support'), mailboxRecipient('bob')];
  const { jobs } = await runStage({ job: { recipients } });
  const sent = jobs.of('parse');
  assert.equal(sent.length, 1);
  assert.deepEqual(
    sent[0]?.envelope.recipients.map(({ forwardPath }) => forwardPath),
    ['bob@ours.example', 'support@ours.example'],
  );
  assert.equal(jobs.sent.length, 1);
});

const spfPass = { 'sender.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] } };

test('that mail is delivered to a mailbox is left to parse to report, when it is there', async () => {
  const recipients = [{ ...mailboxRecipient('bob'), dsn: { notify: ['success' as const], orcpt: null } }];
  const { jobs } = await runStage({ session: { role: 'submission', user: 'app@ours.example' }, job: { recipients } });
  assert.deepEqual(jobs.of('deliver'), []);
  assert.deepEqual(jobs.of('parse')[0]?.envelope.recipients[0]?.dsn.notify, ['success']);
});

const forwards: readonly { readonly title: string; readonly recipients: Recipient[]; readonly told: unknown[] }[] = [
  {
    title: 'a mailbox and outside is reported once, as expanded, and not by the hosts outside',
    recipients: [mailboxRecipient('info'), forward('info@ours.example', 'boss@far.example')],
    told: [
      ['far.example', undefined, 'info@ours.example', ['failure']],
      ['ours.example', true, 'info@ours.example', ['success', 'failure']],
    ],
  },
  {
    title: 'several hosts outside is reported once',
    recipients: [forward('info@ours.example', 'boss@far.example', 'boss@farther.example')],
    told: [
      ['far.example', undefined, 'info@ours.example', ['failure']],
      ['farther.example', undefined, 'info@ours.example', ['failure']],
      ['ours.example', true, 'info@ours.example', ['success', 'failure']],
    ],
  },
  {
    title: 'one address outside is reported once that host has it',
    recipients: [forward('info@ours.example', 'boss@far.example')],
    told: [['far.example', undefined, 'info@ours.example', ['success', 'failure']]],
  },
];
for (const { title, recipients, told } of forwards) {
  test(`success at an alias that leads to ${title} (RFC 3461 §5.2.7)`, async () => {
    const dsn = { notify: ['success' as const, 'failure' as const], orcpt: null };
    const asking = recipients.map((recipient) => ({ ...recipient, dsn }));
    const session = { role: 'submission', user: 'app@ours.example' } as const;
    const { jobs } = await runStage({ session, job: { recipients: asking } });
    const sent = jobs.of('deliver').map(
      ({
        domain,
        deliveredLocally,
        envelope: {
          recipients: [first, ...others],
        },
      }) => {
        assert.deepEqual(others, []);
        return [domain, deliveredLocally, first?.originalForwardPath, first?.dsn.notify];
      },
    );
    assert.deepEqual(sent, told);
    const parsed = jobs.of('parse').flatMap(({ envelope }) => envelope.recipients.map(({ dsn: kept }) => kept.notify));
    assert.ok(parsed.every((notify) => notify?.includes('success') !== true));
  });
}

test('a mailbox that is named by an alias and by its own address is named by its own', async () => {
  const bob = { domain: 'ours.example', localPart: 'bob', tag: null };
  const recipients = [
    { ...mailboxRecipient('info'), route: { kind: 'mailbox' as const, mailbox: bob } },
    { ...mailboxRecipient('Bob+shop'), route: { kind: 'mailbox' as const, mailbox: { ...bob, tag: 'shop' } } },
    { ...mailboxRecipient('team'), route: { kind: 'mailbox' as const, mailbox: bob } },
    mailboxRecipient('bob'),
  ];
  const { jobs } = await runStage({ job: { recipients } });
  assert.deepEqual(
    jobs
      .of('parse')
      .map((job) => job.envelope.recipients.map(({ forwardPath, mailbox }) => [forwardPath, mailbox.tag])),
    [[['Bob+shop@ours.example', 'shop']]],
  );
});

test('domains that treat the message differently get a `parse` job each', async () => {
  const recipients = [
    mailboxRecipient('a', 'strict.example'),
    mailboxRecipient('b', 'lax.example'),
    mailboxRecipient('c', 'strict.example'),
  ];
  const { jobs } = await runStage({
    zone: { '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } },
    config: { domains: { 'strict.example': {}, 'lax.example': { onDmarcFail: 'accept' } } },
    job: { recipients },
  });
  assert.deepEqual(
    jobs.of('parse').map(({ disposition, envelope: { recipients: local } }) => [disposition.action, local.length]),
    [
      ['quarantine', 2],
      ['accept', 1],
    ],
  );
});

test('a thousand local recipients are several jobs, each well under 1 MiB', async () => {
  const recipients = Array.from({ length: 1_000 }, (_, n) => ({
    ...mailboxRecipient(`user-${n}-${'x'.repeat(40)}`),
    dsn: { notify: null, orcpt: `rfc822;${'y'.repeat(490)}` },
  }));
  const { jobs } = await runStage({ job: { recipients } });
  assert.equal(jobs.of('parse').flatMap((job) => job.envelope.recipients).length, 1_000);
  for (const { job } of jobs.sent) assert.ok(JSON.stringify(job).length < 900_000);
});

test('remote recipients go to `deliver`, one job a domain, each address once', async () => {
  const recipients = [
    relay('x@one.example'),
    relay('y@TWO.example'),
    relay('z@one.example'),
    relay('x@ONE.example'),
    relay('X@one.example'),
    mailboxRecipient('bob'),
  ];
  const session = { role: 'submission', user: 'app@ours.example' } as const;
  const { jobs } = await runStage({ session, job: { recipients, reversePath: 'app@ours.example' } });
  const sent = jobs.sent.filter((entry) => entry.queue === 'deliver');
  assert.deepEqual(
    sent.map(({ options }) => options.group),
    ['one.example', 'two.example'],
  );
  const [one, two] = jobs.of('deliver');
  assert.deepEqual(
    one?.envelope.recipients.map(({ forwardPath }) => forwardPath),
    ['x@one.example', 'z@one.example', 'X@one.example'],
  );
  assert.equal(two?.domain, 'two.example');
  assert.equal(one?.envelope.reversePath, 'app@ours.example');
  assert.equal(one?.attempt, 1);
  assert.equal(one?.firstAttemptAt, null);
  assert.equal(one?.expiresAt, '2026-11-26T12:00:00.000Z');
  assert.equal(jobs.of('parse').length, 1);
});

test('a thousand remote recipients at one domain with long ORCPTs still fit into one job', async () => {
  const recipients = Array.from({ length: 1_000 }, (_, n) => ({
    ...relay(`user-${n}-${'x'.repeat(40)}@${'long.'.repeat(36)}example`),
    dsn: { notify: null, orcpt: `rfc822;${'y'.repeat(490)}` },
  }));
  const { jobs } = await runStage({ session: { role: 'submission', user: 'app' }, job: { recipients } });
  assert.equal(jobs.of('deliver').length, 1);
  assert.equal(jobs.of('deliver')[0]?.envelope.recipients.length, 1_000);
  assert.ok(Buffer.byteLength(JSON.stringify(jobs.of('deliver')[0])) < 1_048_576);
});

const ours = { domains: { 'ours.example': { aliases: { info: ['boss@elsewhere.example'] } } } };

test('what an alias sends on has a reverse-path of ours that leads back to the sender (SRS)', async () => {
  const recipients = [forward('info@ours.example', 'boss@elsewhere.example', 'aid@elsewhere.example')];
  const { jobs, secretsRead } = await runStage({ config: ours, zone: spfPass, job: { recipients } });
  const [job] = jobs.of('deliver');
  assert.equal(jobs.of('deliver').length, 1);
  assert.deepEqual(secretsRead, ['secret:srs']);
  assert.match(job!.envelope.reversePath, /^SRS0.*@ours\.example$/);
  const address = parseAddress(job!.envelope.reversePath);
  assert.ok(!isProblem(address));
  assert.deepEqual(srsReverse(address, 'the secret of the tests', Date.parse('2026-11-22T00:00:00Z')), {
    outcome: 'address',
    reversePath: 'ann@sender.example',
  });
  assert.deepEqual(
    job!.envelope.recipients.map(({ originalForwardPath }) => originalForwardPath),
    ['info@ours.example', 'info@ours.example'],
  );
  assert.equal(job!.signingDomain, null);
});

test('a null reverse-path stays null when it is sent on, and our own senders keep theirs', async () => {
  const recipients = [forward('info@ours.example', 'boss@elsewhere.example')];
  const zone = { 'ours.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] } };
  for (const reversePath of ['', 'bob@ours.example']) {
    const { jobs, secretsRead } = await runStage({ config: ours, zone, job: { recipients, reversePath } });
    assert.equal(jobs.of('deliver')[0]?.envelope.reversePath, reversePath);
    assert.deepEqual(secretsRead, []);
  }
});

test('what an unproven sender writes is sent on with a return address that leads to nobody, our own domain or not', async () => {
  const recipients = [forward('info@ours.example', 'boss@elsewhere.example')];
  for (const reversePath of ['ann@sender.example', 'bob@ours.example']) {
    const { jobs, secretsRead, job } = await runStage({ config: ours, job: { recipients, reversePath } });
    const [sent] = jobs.of('deliver');
    assert.equal(sent?.envelope.reversePath, `SRS0=nobody=${job.id}@ours.example`);
    assert.equal(sent?.sender?.proven, false);
    assert.deepEqual(secretsRead, []);
    const address = parseAddress(sent.envelope.reversePath);
    assert.ok(!isProblem(address));
    const reason = 'nobody is to be told what became of what was forwarded';
    assert.deepEqual(srsReverse(address, 'the secret of the tests', Date.now()), { outcome: 'refused', reason });
  }
});

test('a proven sender who wants no report hears of no bounce of a forward either (RFC 3461 §4.1)', async () => {
  const dsn = { notify: ['never' as const], orcpt: null };
  const recipients = [{ ...forward('info@ours.example', 'boss@elsewhere.example'), dsn }];
  const { jobs, job } = await runStage({ config: ours, zone: spfPass, job: { recipients } });
  assert.equal(jobs.of('deliver')[0]?.envelope.reversePath, `SRS0=nobody=${job.id}@ours.example`);
});

test('the configured SRS secret is the one that is read', async () => {
  const recipients = [forward('info@ours.example', 'boss@elsewhere.example')];
  const config = { ...ours, srsSecret: 'secret:other' };
  const { secretsRead } = await runStage({ config, zone: spfPass, job: { recipients } });
  assert.deepEqual(secretsRead, ['secret:other']);
});

const keys = [{ selector: 's1', privateKey: 'secret:dkim' }];
const signing: readonly {
  readonly title: string;
  readonly from: string;
  readonly reversePath: string;
  readonly signer: string | null;
}[] = [
  {
    title: 'the domain in From signs',
    from: 'app@ours.example',
    reversePath: 'x@second.example',
    signer: 'ours.example',
  },
  {
    title: 'a parent of the domain in From signs, which aligns',
    from: 'app@news.ours.example',
    reversePath: '',
    signer: 'ours.example',
  },
  {
    title: 'else the domain of the reverse-path signs',
    from: 'a@keyless.example',
    reversePath: 'x@second.example',
    signer: 'second.example',
  },
  {
    title: 'nobody signs where nobody has keys',
    from: 'a@keyless.example',
    reversePath: 'x@keyless.example',
    signer: null,
  },
];

for (const { title, from, reversePath, signer } of signing) {
  test(`of submitted mail, ${title}`, async () => {
    const { jobs } = await runStage({
      message: plainMessage.replace('ann@sender.example', from),
      session: { role: 'submissions', user: 'app' },
      config: { domains: { 'ours.example': { dkim: keys }, 'second.example': { dkim: keys }, 'keyless.example': {} } },
      job: { recipients: [relay('x@one.example')], reversePath },
    });
    assert.equal(jobs.of('deliver')[0]?.signingDomain, signer);
  });
}

test("strangers' mail is never signed, whatever it says in From", async () => {
  const { jobs } = await runStage({
    message: plainMessage.replace('ann@sender.example', 'boss@ours.example'),
    config: { domains: { 'ours.example': { dkim: keys } } },
    job: { recipients: [forward('info@ours.example', 'boss@elsewhere.example')] },
  });
  assert.equal(jobs.of('deliver')[0]?.signingDomain, null);
});

test('a DNS failure has the message judged again, later each time, and is then recorded as it is', async () => {
  const zone = { 'sender.example': 'SERVFAIL' } as const;
  const config = { dns: { temperrorRetrySeconds: [5, 30] } };
  const first = await runStage({ zone, config });
  assert.equal(first.outcome.outcome, 'judge-again');
  assert.deepEqual(
    first.jobs.of('received').map(({ attempt }) => attempt),
    [2],
  );
  assert.equal(first.jobs.sent[0]?.options.notBefore, '2026-11-21T12:00:06.000Z');
  assert.equal(first.jobs.sent.length, 1);
  const second = await runStage({ zone, config, job: { attempt: 2 } });
  assert.equal(second.jobs.sent[0]?.options.notBefore, '2026-11-21T12:00:31.000Z');
  const third = await runStage({ zone, config, job: { attempt: 3 } });
  assert.equal(third.outcome.outcome, 'handed-on');
  const job = third.jobs.of('parse')[0];
  assert.equal(job?.authentication.spf.result, 'temperror');
  assert.equal(job?.disposition.action, 'accept');
});

test('a message that passes DMARC does not wait for its other identities', async () => {
  const { outcome } = await runStage({
    message: `DKIM-Signature: v=1; a=rsa-sha256; d=slow.test; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n${plainMessage}`,
    zone: {
      'sender.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
      '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] },
      's._domainkey.slow.test': 'TIMEOUT',
    },
    config: { dns: { temperrorRetrySeconds: [5] } },
  });
  assert.equal(outcome.outcome, 'handed-on');
});

test('whether DMARC fails is not known while the SPF record that may vouch cannot be looked up', async () => {
  const zone = { 'sender.example': 'SERVFAIL', '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } } as const;
  const { dmarc } = await judge({ zone });
  assert.equal(dmarc.result, 'temperror');
  assert.equal(dmarc.policy, 'reject');
});

test("a forger's own broken DNS does not save him from DMARC", async () => {
  const { jobs } = await runStage({
    zone: { 'evil.test': 'SERVFAIL', '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } },
    config: { dns: { temperrorRetrySeconds: [] } },
    job: { reversePath: 'eve@evil.test' },
  });
  assert.equal(jobs.of('parse')[0]?.authentication.dmarc.result, 'fail');
  assert.equal(jobs.of('parse')[0]?.disposition.action, 'quarantine');
});

test('a platform fault is a throw: the store, a message that is not there, the queue', async () => {
  const { deps, store, jobs, job } = await runStage();
  const { authenticate } = await import('#functions/authenticate/authenticate.ts');
  store.fail = new Error('the store is down');
  await assert.rejects(authenticate(deps, job, { receiveCount: 1 }), /the store is down/);
  store.fail = null;
  jobs.fail = new Error('the queue is down');
  await assert.rejects(authenticate(deps, job, { receiveCount: 1 }), /the queue is down/);
  jobs.fail = null;
  store.objects.clear();
  await assert.rejects(authenticate(deps, job, { receiveCount: 1 }), /is not there/);
});

test('a store that fails in the middle of a signed body is a throw, not a verdict', async () => {
  const header = `DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=s; h=from; bh=x; b=AAAA\r\nFrom: a@sender.example\r\n\r\n`;
  const { deps, job } = await runStage();
  const { authenticate } = await import('#functions/authenticate/authenticate.ts');
  async function* body() {
    yield Buffer.from(header);
    throw new Error('the connection to the store broke');
  }
  const facts = { key: job.raw.key, bytes: 1_000, etag: '"1"', contentType: '', metadata: {}, modifiedAt: '' };
  const store = { get: async () => ({ ...facts, body: body() }) };
  await assert.rejects(
    authenticate({ ...deps, store: { ...deps.store, ...store } }, job, { receiveCount: 1 }),
    /connection to the store broke/,
  );
});

test('an unsigned message is read no further than its header, once', async () => {
  const { deps, job } = await runStage();
  const { authenticate } = await import('#functions/authenticate/authenticate.ts');
  let chunks = 0;
  let isClosed = false;
  async function* body() {
    try {
      for (yield Buffer.from(plainMessage); ; chunks += 1) yield Buffer.alloc(65_536, 'x');
    } finally {
      isClosed = true;
    }
  }
  const facts = { key: job.raw.key, bytes: 1e9, etag: '"1"', contentType: '', metadata: {}, modifiedAt: '' };
  let gets = 0;
  const get = async () => {
    gets += 1;
    return { ...facts, body: body() };
  };
  await authenticate({ ...deps, store: { ...deps.store, get } }, job, { receiveCount: 1 });
  assert.deepEqual({ gets, chunks, isClosed }, { gets: 1, chunks: 0, isClosed: true });
});

test('the DNS answers that the verdict rests on are recorded with it', async () => {
  const zone = { 'sender.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] } };
  const { evidence } = await judge({ zone });
  assert.deepEqual(evidence.find(({ name, type }) => name === 'sender.example' && type === 'TXT')?.outcome, {
    kind: 'answer',
    json: '[["v=spf1 ip4:192.0.2.1 -all"]]',
  });
  assert.deepEqual(evidence.find(({ name }) => name === '_dmarc.sender.example')?.outcome, {
    kind: 'error',
    code: 'ENOTFOUND',
  });
});
