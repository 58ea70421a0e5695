// Releasing a message: to whom, as what, and from whom.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { parseAddress } from '#mail/address/address.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import { createReplayMessage } from '#ops/messages/replay-message.ts';
import type { ReleaseOutcome } from '#ops/releases/release-message.ts';
import { createReleases } from '#ops/releases/send-release.ts';
import { type ConfigInput, configSchema } from '#pipeline/config/config.ts';
import { marksKey, rawKey } from '#pipeline/contract/keys.ts';
import { readEnvelope } from '#pipeline/contract/stored-envelope.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';

const now = Date.parse('2026-11-21T10:00:00.000Z');
const at = new Date(now).toISOString();
const mx = { role: 'mx', clientIp: '192.0.2.1', clientName: null, helo: 'h', tls: null, user: null };
const submission = { ...mx, role: 'submission', user: 'ann@ours.example' };
const content = 'Received: x\r\nFrom: ann@ours.example\r\nTo: bob@b.example\r\nBcc: secret@b.example\r\n\r\nHello\r\n';
const to = ['me@mail.example', 'Qa@team.example', 'two@team.example'];
const capture: ConfigInput = { mode: 'capture', release: { to: ['me@mail.example', '*@team.example'] } };
const serve: ConfigInput = {
  ...capture,
  mode: 'serve',
  domains: { 'ours.example': { mailboxes: ['ann'], dkim: [{ selector: 's', privateKey: 'secret:k' }] } },
};

/** One stored message with this envelope, and whoever asks for its release. */
function world(config: ConfigInput, envelope: Readonly<Record<string, unknown>> = {}) {
  const newMessageId = messageIdFactory();
  const store = createMemoryStore(() => now);
  const jobs = createMemoryJobs();
  const id = newMessageId(now - 1_000);
  const key = rawKey({ id, receivedAt: new Date(now - 1_000).toISOString() });
  const stored = { reversePath: 'stranger@far.example', forwardPaths: ['bob@b.example'], session: mx, ...envelope };
  store.seed(key, content, { envelope: JSON.stringify(stored) });
  const deps = { store, jobs, config: fixedConfig(config), newMessageId, clock: () => now };
  const release = (addresses: readonly string[] = to) =>
    createReleases(deps).release({ id, to: addresses.map(parsed), by: '127.0.0.1' });
  return { ...deps, id, key, release };
}

function parsed(text: string) {
  const address = parseAddress(text);
  assert.ok(!isProblem(address));
  return address;
}

function queued(outcome: ReleaseOutcome) {
  assert.ok(outcome.outcome === 'queued', JSON.stringify(outcome));
  return outcome;
}

test('a copy of its own goes to deliver, one job a domain, its bytes behind one trace field and without Bcc', async () => {
  const { id: of, store, jobs, key, release } = world(capture);
  const { id, domains, ...said } = queued(await release([...to, 'me@mail.example']));
  assert.deepEqual(said, { outcome: 'queued', to, reversePath: '', failed: [] });
  assert.deepEqual(domains, ['mail.example', 'team.example']);
  const copy = rawKey({ id, receivedAt: at });
  const bytes = Buffer.from(store.bytes(copy)).toString();
  const trace = bytes.slice(0, bytes.indexOf('Received: x'));
  assert.match(trace, new RegExp(`^Received: from localhost by localhost \\(Pillarbox\\)\\s+id ${id};[^\\r]*\\r\\n$`));
  assert.equal(bytes.slice(trace.length), content.replace(/Bcc:.*\r\n/, ''));
  assert.equal(store.text(key), content, 'what is stored stays as it is');
  const sent = jobs.of('deliver');
  assert.deepEqual(
    sent.map(({ domain, envelope }) => [domain, envelope.recipients.map(({ forwardPath }) => forwardPath)]),
    [
      ['mail.example', ['me@mail.example']],
      ['team.example', ['Qa@team.example', 'two@team.example']],
    ],
  );
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  for (const job of sent) {
    assert.deepEqual([job.id, job.raw], [id, { key: copy, bytes: bytes.length, sha256 }]);
    assert.deepEqual([job.attempt, job.expiresAt, job.signingDomain], [1, '2026-11-26T10:00:00.000Z', null]);
  }
  assert.equal(jobs.sent.length, 2, 'nothing else is queued');
  const facts = await store.head(copy);
  assert.deepEqual(facts?.metadata['released-from'], of);
  assert.equal((await readEnvelope(store, facts!))?.session?.role, 'internal');
  const marks = store.json(marksKey({ id: of, receivedAt: new Date(now - 1_000).toISOString() }));
  assert.deepEqual(marks.releases, [{ id, at, by: '127.0.0.1', to }]);
});

test('where the jobs of some domains cannot be queued, it is said who gets one and who does not; where none can, nothing was done', async () => {
  const { id: of, store, jobs, config, newMessageId, clock } = world(capture);
  const release = (isFull: (domain: string) => boolean) =>
    createReleases({
      store,
      config,
      newMessageId,
      clock,
      jobs: {
        send: async (queue, job, options) => {
          if (isFull('domain' in job ? String(job.domain) : '')) throw new Error('the queue is full');
          await jobs.send(queue, job, options);
        },
      },
    }).release({ id: of, to: to.map(parsed), by: '127.0.0.1' });
  const { to: sent, domains, failed } = queued(await release((domain) => domain === 'mail.example'));
  assert.deepEqual([sent, domains], [['Qa@team.example', 'two@team.example'], ['team.example']]);
  assert.deepEqual(failed, [{ domain: 'mail.example', to: ['me@mail.example'], reason: 'Error: the queue is full' }]);
  const marks = () => store.json(marksKey({ id: of, receivedAt: new Date(now - 1_000).toISOString() }));
  assert.deepEqual(
    marks().releases.map((one: any) => one.to),
    [sent],
  );
  await assert.rejects(
    release(() => true),
    /the queue is full/,
  );
  assert.equal(marks().releases.length, 1);
});

describe('who may get one', () => {
  const rows: readonly { title: string; config: ConfigInput; to: string; outcome: RegExp }[] = [
    {
      title: 'nobody, as it comes',
      config: { mode: 'capture' },
      to: 'me@mail.example',
      outcome: /^not-allowed nothing may be released to anybody: .*release\.to in the configuration: "release"/,
    },
    { title: 'an address that is named', config: capture, to: 'me@mail.example', outcome: /^queued/ },
    { title: 'the same in another case', config: capture, to: 'ME@Mail.Example', outcome: /^queued/ },
    {
      title: 'another of its domain',
      config: capture,
      to: 'you@mail.example',
      outcome: /^not-allowed release\.to in the configuration does not allow you@mail\.example; it allows me@mail/,
    },
    { title: 'one of a domain whose all are named', config: capture, to: 'any.one@team.example', outcome: /^queued/ },
    { title: 'a domain below it', config: capture, to: 'x@sub.team.example', outcome: /^not-allowed/ },
    { title: 'a domain that ends like it', config: capture, to: 'x@notteam.example', outcome: /^not-allowed/ },
    {
      title: 'a name with an @ of it in quotes',
      config: capture,
      to: '"x@team.example"@evil.example',
      outcome: /^not-allowed/,
    },
    {
      title: 'a domain of ours, if we serve it',
      config: { ...serve, release: { to: ['*@ours.example'] } },
      to: 'ann@ours.example',
      outcome: /^refused ann@ours\.example is of a domain here: a replay/,
    },
    {
      title: 'the same on a capture server',
      config: { ...serve, mode: 'capture', release: { to: ['*@ours.example'] } },
      to: 'ann@ours.example',
      outcome: /^queued/,
    },
  ];
  for (const { title, config, to: address, outcome } of rows) {
    test(`${title}: ${address}`, async () => {
      const { release, jobs, store } = world(config);
      const released = await release([address]);
      assert.match(`${released.outcome} ${'reason' in released ? released.reason : ''}`, outcome);
      if (released.outcome === 'queued') return;
      assert.deepEqual([jobs.sent.length, store.objects.size], [0, 1]);
    });
  }
  test('all of them, or none', async () => {
    const { release, jobs } = world(capture);
    assert.equal((await release(['me@mail.example', 'x@evil.example'])).outcome, 'not-allowed');
    assert.equal(jobs.sent.length, 0);
  });
  test('the configuration takes addresses and whole domains, and no pattern that is an open relay', () => {
    const read = (pattern: string) => configSchema.safeParse({ release: { to: [pattern] } });
    assert.deepEqual(read('*@Team.Example').data?.release.to, ['*@team.example']);
    for (const pattern of [
      '*',
      '*@',
      '*@*',
      '*@*.example',
      '@team.example',
      'team.example',
      'a b@team.example',
      'a@b.example\r\nx',
    ])
      assert.equal(read(pattern).success, false, pattern);
  });
});

describe('reports of its failure go', () => {
  const rows: readonly { title: string; config: ConfigInput; reversePath: string; goTo: string }[] = [
    { title: 'to nobody where a stranger is named', config: capture, reversePath: 'stranger@far.example', goTo: '' },
    { title: 'to nobody where nobody is named', config: capture, reversePath: '', goTo: '' },
    {
      title: 'to its own sender, who is of a domain here',
      config: serve,
      reversePath: 'Ann@Ours.Example',
      goTo: 'Ann@ours.example',
    },
    { title: 'to no domain below one here', config: serve, reversePath: 'ann@sub.ours.example', goTo: '' },
    {
      title: 'to the address that is configured',
      config: { ...serve, release: { ...capture.release, reversePath: 'desk@ours.example' } },
      reversePath: 'ann@ours.example',
      goTo: 'desk@ours.example',
    },
  ];
  for (const { title, config, reversePath, goTo } of rows) {
    test(title, async () => {
      const { release, jobs } = world(config, { reversePath });
      assert.equal(queued(await release()).reversePath, goTo);
      assert.equal(jobs.of('deliver')[0]?.envelope.reversePath, goTo);
    });
  }
});

test('what was asked for its bytes is asked again (8BITMIME, SMTPUTF8, REQUIRETLS), what it was to report is not', async () => {
  const asked = { bodyType: 'binarymime', smtpUtf8: true, requireTls: true };
  const { release, jobs } = world(capture, { ...asked, mtPriority: 9, dsn: { ret: 'full', envid: 'e1' } });
  await release();
  const [job] = jobs.of('deliver');
  const { bodyType, smtpUtf8, requireTls, mtPriority, dsn } = job!.envelope;
  assert.deepEqual({ bodyType, smtpUtf8, requireTls }, asked);
  assert.deepEqual({ mtPriority, dsn }, { mtPriority: 0, dsn: { ret: null, envid: null } });
});

test('mail that was submitted with a password is signed as it was; what a stranger wrote in our name is not', async () => {
  const signs = async (session: object) => {
    const { release, jobs } = world(serve, { session });
    await release();
    return jobs.of('deliver')[0]?.signingDomain;
  };
  assert.deepEqual(
    [await signs(submission), await signs(mx), await signs({ ...submission, user: null })],
    ['ours.example', null, null],
  );
});

test('a message that is not stored cannot be released; a released copy cannot be replayed past the rules', async () => {
  const { release, store, key, ...deps } = world(capture);
  const { id } = queued(await release());
  const replay = createReplayMessage({
    ...deps,
    store,
    intake: { open: () => assert.fail('nothing new is stored') },
    srsSecret: async () => 'x',
  });
  const replayed = await replay({ id, to: null });
  assert.match(
    `${replayed.outcome} ${'reason' in replayed ? replayed.reason : ''}`,
    /^refused it is a copy that was released: release 01/,
  );
  store.objects.delete(key);
  assert.equal((await release()).outcome, 'not-found');
});
