import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#mail/address/address.ts';
import { srsForward } from '#mail/address/srs.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import { createReplayMessage } from '#ops/messages/replay-message.ts';
import { rawKey } from '#pipeline/contract/keys.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { createMemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';

const secret = 'a secret of this test, long enough';
const now = Date.parse('2026-11-21T10:00:00.000Z');
const dayMs = 86_400_000;
const mx = { role: 'mx', clientIp: '192.0.2.1', clientName: null, helo: 'h', tls: null, user: null };
const submission = { ...mx, role: 'submission', user: 'ann@a.example' };

/** One stored message, so old, with this envelope. */
function world(
  envelope: Readonly<Record<string, unknown>> | null,
  { ageMs = 1_000, content = 'Subject: x\r\n\r\nx\r\n' } = {},
) {
  const newId = messageIdFactory();
  const store = createMemoryStore(() => now);
  const jobs = createMemoryJobs();
  const id = newId(now - ageMs);
  const key = rawKey({ id, receivedAt: new Date(now - ageMs).toISOString() });
  store.seed(
    key,
    content,
    envelope === null ? {} : { envelope: JSON.stringify({ reversePath: 'bob@b.example', ...envelope }) },
  );
  const replay = createReplayMessage({
    store,
    jobs,
    intake: { open: () => assert.fail('nothing new is stored') },
    config: fixedConfig({
      domains: { 'a.example': { mailboxes: ['ann'], aliases: { team: ['ann', 'boss@far.example'] } } },
    }),
    srsSecret: async () => secret,
    newMessageId: newId,
    clock: () => now,
  });
  return { id, jobs, replay, store };
}

test('a replayed job has what was asked in MAIL and RCPT: body type, SMTPUTF8, REQUIRETLS, notifications', async () => {
  const asked = {
    bodyType: '8bitmime',
    smtpUtf8: true,
    requireTls: true,
    dsn: { ret: 'hdrs', envid: 'e1' },
    recipientDsn: { 'ann@a.example': { notify: ['failure'], orcpt: 'rfc822;x@y.example' } },
  };
  const { id, jobs, replay } = world({ session: mx, forwardPaths: ['ann@a.example'], ...asked });
  assert.equal((await replay({ id, to: null })).outcome, 'queued');
  const { recipientDsn, ...rest } = asked;
  const [job] = jobs.sent.map((one) => one.job as any);
  for (const [name, value] of Object.entries(rest)) assert.deepEqual(job.envelope[name], value, name);
  assert.deepEqual(job.envelope.recipients[0].dsn, recipientDsn['ann@a.example']);
  assert.deepEqual([job.id, job.attempt, job.envelope.reversePath], [id, 1, 'bob@b.example']);
});

test('a mailbox that is gone is left out and named; where nobody is left, it is refused', async () => {
  const some = world({ session: mx, forwardPaths: ['ann@a.example', 'gone@a.example'] });
  const replayed = await some.replay({ id: some.id, to: null });
  assert.ok(replayed.outcome === 'queued');
  assert.deepEqual(replayed.recipients, ['ann@a.example']);
  assert.match(replayed.leftOut.join(), /gone@a\.example: No such mailbox/);
  const none = world({ session: mx, forwardPaths: ['gone@a.example'] });
  assert.equal((await none.replay({ id: none.id, to: null })).outcome, 'refused');
  assert.equal(none.jobs.sent.length, 0);
});

test("a replay is no open relay: a stranger's mail for elsewhere stays where it is", async () => {
  const { id, jobs, replay } = world({ session: mx, forwardPaths: ['carl@far.example'] });
  assert.equal((await replay({ id, to: null })).outcome, 'refused');
  assert.equal(jobs.sent.length, 0);
});

test('submitted mail goes to other servers again only while it would have been tried anyway', async () => {
  const fresh = world({ session: submission, forwardPaths: ['carl@far.example'] }, { ageMs: 4 * dayMs });
  assert.equal((await fresh.replay({ id: fresh.id, to: null })).outcome, 'queued');
  const old = world(
    { session: submission, forwardPaths: ['carl@far.example', 'team@a.example'] },
    { ageMs: 6 * dayMs },
  );
  const replayed = await old.replay({ id: old.id, to: null });
  assert.ok(replayed.outcome === 'queued');
  assert.deepEqual(replayed.recipients, ['team@a.example']);
  assert.equal(replayed.leftOut.length, 2);
  const [job] = old.jobs.sent.map((one) => one.job as any);
  assert.deepEqual(
    job.envelope.recipients.map(({ route }: any) => route.kind),
    ['mailbox'],
  );
});

test('a bounce to a forwarding address of ours finds its way back again', async () => {
  const srs = srsForward('bob@b.example', 'a.example', secret, now);
  const { id, jobs, replay } = world({ session: mx, forwardPaths: [srs] });
  assert.equal((await replay({ id, to: null })).outcome, 'queued');
  const [job] = jobs.sent.map((one) => one.job as any);
  assert.deepEqual(job.envelope.recipients[0].route, { kind: 'forward', to: ['bob@b.example'] });
});

test('mail that the service wrote itself is its own again, and may leave', async () => {
  const { id, jobs, replay } = world({ role: 'internal', reversePath: '', forwardPaths: ['bob@b.example'] });
  assert.equal((await replay({ id, to: null })).outcome, 'queued');
  const [job] = jobs.sent.map((one) => one.job as any);
  assert.deepEqual(
    [job.envelope.session.role, job.envelope.reversePath, job.envelope.recipients[0].route.kind],
    ['internal', '', 'relay'],
  );
});

test('without its bytes or its envelope there is no replay', async () => {
  const { id, replay, store } = world(null);
  assert.equal((await replay({ id, to: null })).outcome, 'refused');
  store.objects.clear();
  assert.equal((await replay({ id, to: null })).outcome, 'not-found');
});

test('another mailbox must be one here', async () => {
  const { id, replay } = world({ session: mx, forwardPaths: ['ann@a.example'] });
  for (const to of ['x@far.example', 'nobody@a.example']) {
    const address = parseAddress(to);
    assert.ok(!isProblem(address));
    assert.equal((await replay({ id, to: address })).outcome, 'refused');
  }
});
