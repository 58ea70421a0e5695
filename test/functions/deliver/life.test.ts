// The life of a delivery over days and crashes: attempts on schedule, one warning, one bounce; jobs handed out twice,
// workers that die, destinations that are backed off, a network that lets no mail out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliver } from '#functions/deliver/deliver.ts';
import { noteFailure } from '#functions/deliver/destination/back-off.ts';
import { srsForward } from '#mail/address/srs.ts';
import type { RemoteRecipient } from '#mail/envelope/recipient.ts';
import { jobSchemas } from '#pipeline/contract/jobs.ts';
import { deliveryKey, destinationKey } from '#pipeline/contract/keys.ts';
import { deliveryStateSchema, retryNow } from '#pipeline/contract/records/delivery.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';
import { withEnvelope } from '#test/support/samples/sample-jobs.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { deliveryWorld } from './delivery-world.ts';

const hour = 3_600_000;
const retrySeconds = [300, 600, 1_200, 2_400, 3_600, 7_200, 14_400];
/** The destination that a host on this machine is. */
const at = (port: number): string => `127.0.0.1 port ${port}`;
const greylisting = { answer: (line: string) => (line.startsWith('RCPT') ? '450 4.2.0 come back' : undefined) };

test('five days: attempts on schedule, one delay warning after four hours, one bounce at the end', async (t) => {
  const mx = await startMx(greylisting);
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  const born = world.clock();
  const at: number[] = [];
  let outcome = await world.run(job);
  for (let n = 0; outcome.outcome === 'deferred' && n < 100; n++) {
    at.push((world.clock() - born) / 60_000);
    outcome = await world.runNext();
    assert.equal(world.jobs.of('deliver').length <= n + 2, true, 'one job at a time');
  }
  assert.equal(outcome.outcome, 'bounced');
  assert.deepEqual(at.slice(0, 9), [0, 5, 15, 35, 75, 135, 255, 495, 735]);
  assert.equal(world.clock() - born, 120 * hour);
  assert.equal(world.bounces.length, 2);
  assert.match(world.bounces[0]!.text, /Action: delayed\r\nStatus: 4\.2\.0/);
  assert.match(world.bounces[0]!.text, /Will-Retry-Until/);
  assert.match(world.bounces[1]!.text, /Action: failed\r\nStatus: 5\.4\.7/);
  assert.match(world.bounces[1]!.text, /smtp; 450 4\.2\.0 come back/);
  const state = deliveryStateSchema.parse(world.state(job));
  assert.equal(state.attempts.length, at.length + 1);
  assert.deepEqual(
    state.notices.map(({ outcome }) => outcome),
    ['sent', 'sent'],
  );
  for (const bounce of world.bounces) assert.equal(jobSchemas.received.parse(bounce.job).envelope.reversePath, '');
  assert.equal(mx.mails.length, 0);
});

for (const { title, dsn, reversePath, actions } of [
  { title: 'NOTIFY=NEVER', dsn: { notify: ['never' as const], orcpt: null }, actions: [] },
  { title: 'NOTIFY=FAILURE', dsn: { notify: ['failure' as const], orcpt: null }, actions: ['failed'] },
  { title: 'NOTIFY=DELAY', dsn: { notify: ['delay' as const], orcpt: null }, actions: ['delayed'] },
  { title: 'nothing said', dsn: { notify: null, orcpt: null }, actions: ['delayed', 'failed'] },
  { title: 'the null reverse-path', dsn: { notify: null, orcpt: null }, reversePath: '', actions: [] },
].map((row) => ({ reversePath: 'a@sender.example', ...row }))) {
  test(`${title}: the sender is told ${actions.join(' and ') || 'nothing'} (RFC 3461 §4.1)`, async (t) => {
    const world = deliveryWorld({ zone: { 'far.example': 'SERVFAIL' } });
    t.after(world.close);
    const job = world.job();
    let outcome = await world.run(
      withEnvelope(job, { recipients: [{ ...job.envelope.recipients[0]!, dsn }], reversePath }),
    );
    while (outcome.outcome === 'deferred') outcome = await world.runNext();
    assert.deepEqual(
      world.bounces.map(({ text }) => /^Action: (\w+)/m.exec(text)![1]),
      actions,
    );
  });
}

test('a job handed out twice at once sends once; the second waits and then finds nothing to do', async (t) => {
  const mx = await startMx();
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  const outcomes = await Promise.all([world.run(job), world.run(job), world.run(job, 2)]);
  assert.deepEqual(outcomes.map(({ outcome }) => outcome).sort(), ['delivered', 'waiting', 'waiting']);
  assert.equal((await world.runNext()).outcome, 'duplicate');
  assert.equal(mx.mails.length, 1);
});

test('an attempt whose lease ran out while this process was frozen is not begun a second time beside it', async (t) => {
  const answer = Promise.withResolvers<string>();
  const mx = await startMx({ accept: () => answer.promise });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  const first = world.run(job);
  await eventually('the message is there', () => mx.mails.length === 1);
  world.clock.advance(hour);
  assert.equal((await world.run(job, 2)).outcome, 'waiting');
  answer.resolve('250 2.0.0 taken');
  assert.equal((await first).outcome, 'delivered');
  assert.equal((await world.runNext()).outcome, 'duplicate');
  assert.equal(mx.mails.length, 1);
});

test('a report that mail is in a mailbox here is made without asking any host, also while the smarthost takes nothing', async (t) => {
  const smarthost = { host: '127.0.0.1', port: 1, tls: 'none' as const };
  const world = deliveryWorld({ zone: {}, config: { delivery: { mode: 'smarthost', smarthost } } });
  t.after(world.close);
  const { clock } = world.deps;
  noteFailure(world.deps, 'smarthost 127.0.0.1', { startedAt: clock(), reason: 'it is away', retrySeconds });
  const job = world.job({ to: ['app@sender.example'], deliveredLocally: true });
  const dsn = { notify: ['success' as const], orcpt: null };
  const recipients = job.envelope.recipients.map((recipient) => ({ ...recipient, dsn }));
  assert.equal(
    (await world.run({ ...withEnvelope(job, { recipients }), domain: 'sender.example' })).outcome,
    'delivered',
  );
  const { text } = world.bounces[0]!;
  assert.match(text, /^Final-Recipient: rfc822;app@sender\.example\r\nAction: delivered\r\nStatus: 2\.0\.0\r$/m);
  assert.match(text, /^Your message was delivered to:\r\n\r\n {2}<app@sender\.example>\r$/m);
  assert.equal(world.bounces.length, 1);
});

test('reports of one message that come one by one, or twice, tell of each recipient once', async (t) => {
  const world = deliveryWorld({ zone: {} });
  t.after(world.close);
  const dsn = { notify: ['success' as const], orcpt: null };
  const job = world.job({ to: ['a@sender.example', 'b@sender.example', 'c@sender.example'], deliveredLocally: true });
  const [a, b, c] = job.envelope.recipients.map((recipient) => ({ ...recipient, dsn }));
  const report = (...recipients: readonly RemoteRecipient[]) => withEnvelope(job, { recipients: [...recipients] });
  const outcomes = [];
  for (const one of [report(a!), report(a!), report(b!, c!), report(a!, b!)])
    outcomes.push((await world.run(one)).outcome);
  assert.deepEqual(outcomes, ['delivered', 'duplicate', 'delivered', 'duplicate']);
  assert.deepEqual(
    world.bounces.map(({ text }) => [...text.matchAll(/^Final-Recipient: rfc822;(\w)@/gm)].map(([, name]) => name)),
    [['a'], ['b', 'c']],
  );
});

test('a report of what was delivered here leaves those of its domain that were given up as they are', async (t) => {
  const world = deliveryWorld({ zone: {} });
  t.after(world.close);
  const job = world.job({ to: ['a@sender.example', 'b@sender.example'] });
  const [a, b] = job.envelope.recipients;
  const dead = { ...withEnvelope(job, { recipients: [a!] }), givenUp: { queue: 'parse' as const, reason: 'a bug' } };
  assert.equal((await world.run(dead)).outcome, 'bounced');
  const dsn = { notify: ['success' as const], orcpt: null };
  const report = { ...withEnvelope(job, { recipients: [{ ...b!, dsn }] }), deliveredLocally: true as const };
  await world.run(report);
  assert.deepEqual(
    world.state(job).recipients.map(({ state }) => state),
    ['bounced', 'delivered'],
  );
  assert.deepEqual(world.state(job).givenUp?.recipients, ['a@sender.example']);
  assert.deepEqual(
    world.bounces.map(({ text }) => /^Action: (\w+)/m.exec(text)![1]),
    ['failed', 'delivered'],
  );
});

test('a report of what was delivered here says nothing of others of its domain, which still have to be delivered', async (t) => {
  const world = deliveryWorld({ zone: { 'far.example': 'SERVFAIL' } });
  t.after(world.close);
  const job = world.job({ to: ['a@far.example', 'b@far.example'] });
  const [a, b] = job.envelope.recipients;
  assert.equal((await world.run(withEnvelope(job, { recipients: [a!] }))).outcome, 'deferred');
  await world.run({ ...withEnvelope(job, { recipients: [b!] }), deliveredLocally: true });
  assert.deepEqual(
    world.state(job).recipients.map(({ state }) => state),
    ['pending', 'delivered'],
  );
  assert.equal((await world.runNext()).outcome, 'deferred');
});

test('the lease of a worker that died is taken over, and the history says that it was interrupted', async (t) => {
  const mx = await startMx();
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  await world.run({ ...job, attempt: 1 });
  const done = world.state(job);
  const at = world.clock.iso();
  const lease = { attempt: 1, owner: 'another', at, until: new Date(world.clock() + 300_000).toISOString() };
  const recipients = done.recipients.map((recipient) => ({ ...recipient, state: 'pending' as const }));
  world.store.seed(deliveryKey(job), JSON.stringify({ ...done, state: 'sending', recipients, attempts: [], lease }));
  const elsewhere = { ...world.deps, soleWorker: false };
  const { deliver } = await import('#functions/deliver/deliver.ts');
  assert.equal((await deliver(elsewhere, job, { receiveCount: 2 })).outcome, 'waiting', 'it may be alive');
  assert.equal((await world.run(job, 2)).outcome, 'delivered', 'here it cannot be alive');
  assert.match(world.state(job).attempts[0]!.reason!, /interrupted/);
});

test('what followed from an attempt is done again after a crash, and makes one bounce and one job', async (t) => {
  const mx = await startMx({
    answer: (line) =>
      line.includes('<bad@') ? '550 5.1.1 no' : line.includes('<slow@') ? '450 4.2.0 later' : undefined,
  });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job({ to: ['bad@far.example', 'slow@far.example'] });
  world.jobs.fail = new Error('the queue is down');
  await assert.rejects(world.run(job), /queue is down/);
  assert.equal(world.state(job).next!.queued, false);
  world.jobs.fail = null;
  const before = world.bounces.length;
  assert.equal((await world.run(job, 2)).outcome, 'duplicate');
  assert.deepEqual(
    world.state(job).notices.map(({ outcome }) => outcome),
    ['sent'],
  );
  assert.equal(
    new Set([...world.bounces.map(({ job: { id } }) => id), ...world.jobs.of('received').map(({ id }) => id)]).size,
    1,
  );
  assert.ok(before <= 1);
  assert.equal(world.jobs.of('deliver').length, 1);
  assert.equal((await world.run(job, 3)).outcome, 'duplicate');
  assert.equal(world.jobs.of('deliver').length, 1);
});

test('a store that fails before the outcome is on record makes the attempt happen again: nothing is lost', async (t) => {
  const mx = await startMx({
    accept: () => {
      world.store.fail = new Error('store down');
      return '250 taken';
    },
  });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  await assert.rejects(world.run(job), /store down/);
  world.store.fail = null;
  mx.script = {};
  assert.equal((await world.run(job, 2)).outcome, 'delivered');
});

test('a destination that answers 421 is backed off: other messages wait without a connection, and then go through', async (t) => {
  const mx = await startMx({ banner: '421 4.3.2 overloaded' });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  assert.equal((await world.run(world.job())).outcome, 'deferred');
  const record = world.store.json(destinationKey(at(mx.port)));
  assert.equal(record.failures, 1);
  const other = world.job();
  const waiting = await world.run(other);
  assert.equal(waiting.outcome, 'waiting');
  assert.ok(waiting.outcome === 'waiting' && Date.parse(waiting.until) >= Date.parse(record.until));
  assert.equal(mx.connections(), 1);
  assert.equal(world.state(other).state, 'waiting');
  assert.match(world.state(other).next!.reason, /421/);
  assert.equal(
    (await world.run(world.job({ to: ['x@near.example'] }))).outcome,
    'bounced',
    'other destinations are not kept waiting',
  );
  mx.script = {};
  world.clock.set(Date.parse(world.jobs.sent.find(({ job }) => job.id === other.id)!.options.notBefore!));
  assert.equal((await world.run(world.jobs.of('deliver').find(({ id }) => id === other.id)!)).outcome, 'delivered');
  assert.deepEqual(world.store.keys('destinations/'), []);
});

test('a message deferred before waits for its destination too, and its record says until when', async (t) => {
  const mx = await startMx(greylisting);
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  await world.run(job);
  const { clock } = world.deps;
  world.clock.set(Date.parse(world.state(job).next!.at));
  noteFailure(world.deps, at(mx.port), { startedAt: clock(), reason: 'mx.far.example: 421', retrySeconds });
  const waiting = await world.runNext();
  assert.ok(waiting.outcome === 'waiting');
  assert.ok(Date.parse(world.state(job).next!.at) > clock());
  assert.match(world.state(job).next!.reason, /backed off/);
  mx.script = {};
  assert.equal((await world.runNext()).outcome, 'delivered');
  assert.equal(world.state(job).attempts.length, 2);
});

test('a smarthost that refuses the password is backed off, and nothing bounces for it', async (t) => {
  const mx = await startMx({
    offers: ['AUTH PLAIN'],
    answer: (line) => (line.startsWith('AUTH') ? '535 5.7.8 no' : undefined),
  });
  const smarthost = {
    host: '127.0.0.1',
    port: mx.port,
    tls: 'none' as const,
    user: 'app',
    password: 'secret:smarthost',
  };
  const world = deliveryWorld({
    config: { delivery: { mode: 'smarthost', smarthost } },
    secrets: { 'secret:smarthost': 'wrong' },
  });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  assert.equal((await world.run(job)).outcome, 'deferred');
  assert.equal(world.state(job).recipients[0]!.status, '4.7.8');
  assert.equal((await world.run(world.job())).outcome, 'waiting');
  assert.equal(mx.commands.filter((line) => line.startsWith('AUTH')).length, 1);
});

test('more jobs at once than a destination may have connections: the others go back on the queue at once', async (t) => {
  const mx = await startMx({ banner: null });
  const world = deliveryWorld({
    port: mx.port,
    config: { delivery: { connectionsPerDestination: 2, attemptSeconds: 8 } },
  });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const runs = [1, 2, 3].map(() => world.run(world.job()));
  assert.equal((await Promise.race(runs)).outcome, 'waiting');
  await eventually('two are asked', () => mx.connections() === 2);
  assert.deepEqual((await Promise.all(runs)).map(({ outcome }) => outcome).sort(), ['deferred', 'deferred', 'waiting']);
});

test('the bounce of a forwarded message goes to the sender it was rewritten for (SRS), a forged one to nobody', async (t) => {
  const world = deliveryWorld({ zone: {}, secrets: { 'secret:srs': 'key' } });
  t.after(world.close);
  const reversePath = srsForward('ann@origin.example', 'sender.example', 'key', world.clock());
  const original = { originalForwardPath: 'info@sender.example' };
  const job = world.job({ reversePath });
  await world.run(withEnvelope(job, { recipients: [{ ...job.envelope.recipients[0]!, ...original }] }));
  assert.deepEqual(world.bounces[0]!.job.envelope.recipients[0]!.route, {
    kind: 'forward',
    to: ['ann@origin.example'],
  });
  const { text } = world.bounces[0]!;
  assert.match(text, /^To: <ann@origin\.example>\r$/m);
  assert.match(text, /<b@far\.example>\r\n {4}\(you wrote to <info@sender\.example>\)/);
  assert.match(text, /^Original-Recipient: rfc822;info@sender\.example\r\nFinal-Recipient: rfc822;b@far\.example\r$/m);
  const forged = world.job({ reversePath: reversePath.replace(/=(.)/, (_, char) => `=${char === 'A' ? 'B' : 'A'}`) });
  assert.equal((await world.run(forged)).outcome, 'bounced');
  assert.equal(world.bounces.length, 1);
  assert.equal(world.state(forged).notices[0]!.outcome, 'dropped');
});

test('a bounce to an address of ours that has no mailbox is told in the history and as a warning', async (t) => {
  const world = deliveryWorld({ zone: {} });
  t.after(world.close);
  const job = world.job({ reversePath: 'app@sender.example' });
  assert.equal((await world.run(job)).outcome, 'bounced');
  const { outcome, reason } = world.state(job).notices[0]!;
  assert.deepEqual([outcome, reason], ['dropped', 'the sender cannot be told: No such mailbox here: app']);
  const notice = world.facts.find(({ event }) => event === 'delivery-notice');
  assert.deepEqual([notice?.level, notice?.fields.reason], ['warn', reason]);
});

test('mail for a destination that is backed off for days is still warned of and given up in time', async (t) => {
  const world = deliveryWorld({ config: { delivery: { attemptSeconds: 1, port: 1 } } });
  t.after(world.close);
  const { clock } = world.deps;
  const job = world.job();
  let outcome: Awaited<ReturnType<typeof world.run>> | null = null;
  let next = job;
  for (let n = 0; n < 2_000 && outcome?.outcome !== 'bounced'; n++) {
    noteFailure(world.deps, at(1), { startedAt: clock(), reason: 'mx.far.example: 421', retrySeconds });
    outcome = await world.run(next);
    next = world.jobs.of('deliver').at(-1)!;
    world.clock.set(Math.max(clock(), Date.parse(world.jobs.sent.at(-1)!.options.notBefore!)));
  }
  assert.equal(outcome?.outcome, 'bounced');
  assert.deepEqual(
    world.bounces.map(({ text }) => /^Action: (\w+)/m.exec(text)![1]),
    ['delayed', 'failed'],
  );
  assert.equal(world.clock() - Date.parse(job.receivedAt), 120 * hour);
});

test('what is given up while its destination is backed off bounces for what its host said, not for our waiting', async (t) => {
  const mx = await startMx({ banner: '421 4.3.2 busy' });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job({ expiresAt: new Date(world.deps.clock() + 30_000).toISOString() });
  await world.run(job);
  assert.equal((await world.runNext()).outcome, 'bounced');
  assert.equal(mx.connections(), 1);
  const { reason } = world.state(job).recipients[0]!;
  assert.equal(
    reason,
    'it could not be delivered for 30 seconds; the last reason was: far.example: refused at greeting: 421 4.3.2 busy',
  );
});

test('a connection that ends early is told with the command it ended at', async (t) => {
  const mx = await startMx({ answer: (line) => (line.startsWith('RCPT') ? 'close' : undefined) });
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  await world.run(job);
  assert.match(world.state(job).recipients[0]!.reason!, /^far\.example: at RCPT: the /);
});

test('an operator has a waiting message tried at once, and a bounced one again', async (t) => {
  const mx = await startMx(greylisting);
  const world = deliveryWorld({ port: mx.port });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const job = world.job();
  await world.run(job);
  mx.script = {};
  const retried = retryNow(world.state(job), { nowMs: world.clock(), again: false })!;
  world.store.seed(deliveryKey(job), JSON.stringify(retried.state));
  assert.equal((await world.run(retried.job)).outcome, 'delivered');
  assert.equal((await world.runNext()).outcome, 'duplicate', 'the one that was scheduled');
  assert.equal(retryNow(world.state(job), { nowMs: world.clock(), again: true }), null);

  mx.script = { answer: (line) => (line.startsWith('RCPT') ? '550 5.7.1 blocked' : undefined) };
  const second = world.job();
  assert.equal((await world.run(second)).outcome, 'bounced');
  mx.script = {};
  const again = retryNow(world.state(second), { nowMs: world.clock(), again: true })!;
  world.store.seed(deliveryKey(second), JSON.stringify(again.state));
  assert.equal((await world.run(again.job)).outcome, 'delivered');
});

const routeRows: readonly { title: string; zone: any; outcome: string; status?: string }[] = [
  { title: 'a domain that does not exist', zone: {}, outcome: 'bounced', status: '5.1.2' },
  {
    title: 'a null MX',
    zone: { 'far.example': { MX: [{ priority: 0, exchange: '' }], A: ['127.0.0.1'] } },
    outcome: 'bounced',
    status: '5.1.10',
  },
  { title: 'a DNS that fails', zone: { 'far.example': 'SERVFAIL' }, outcome: 'deferred', status: '4.4.3' },
  { title: 'a DNS that does not answer', zone: { 'far.example': 'TIMEOUT' }, outcome: 'deferred', status: '4.4.3' },
  { title: 'a domain without hosts', zone: { 'far.example': { TXT: ['x'] } }, outcome: 'bounced', status: '5.1.2' },
  {
    title: 'mail hosts without addresses',
    zone: { 'far.example': { MX: [{ priority: 1, exchange: 'gone.example' }] } },
    outcome: 'bounced',
    status: '5.4.4',
  },
  {
    title: 'a mail host whose DNS fails',
    zone: { 'far.example': { MX: [{ priority: 1, exchange: 'mx.example' }] }, 'mx.example': 'SERVFAIL' },
    outcome: 'deferred',
    status: '4.4.3',
  },
  {
    title: 'ourselves as the mail host',
    zone: { 'far.example': { MX: [{ priority: 1, exchange: 'mx.pillarbox.example' }] } },
    outcome: 'bounced',
    status: '5.4.6',
  },
];
for (const { title, zone, outcome, status } of routeRows) {
  test(`${title}: ${outcome} without a connection, and no address is suppressed`, async (t) => {
    const mx = await startMx();
    const world = deliveryWorld({ port: mx.port, zone });
    t.after(() => Promise.all([mx.close(), world.close()]));
    const job = world.job();
    assert.equal((await world.run(job)).outcome, outcome);
    assert.equal(world.state(job).recipients[0]!.status, status);
    assert.equal(mx.connections(), 0);
    assert.deepEqual(world.store.keys('suppressions/'), []);
  });
}

test('a private mail host is refused unless the configuration allows it', async (t) => {
  const mx = await startMx();
  const world = deliveryWorld({ port: mx.port, config: { delivery: { allowPrivateTargets: false } } });
  t.after(() => Promise.all([mx.close(), world.close()]));
  const outcome = await world.run(world.job());
  assert.ok(outcome.outcome === 'bounced' && /private network/.test(outcome.reason));
  assert.equal(mx.connections(), 0);
});

test('a DNS of ours that answers nothing is no fault of the domain: no attempt is used up, and the record says so', async (t) => {
  const world = deliveryWorld({ zone: { 'far.example': 'TIMEOUT' } });
  t.after(world.close);
  const job = world.job();
  const dnsProblem = async () => 'no DNS server answers (dns.servers: 127.0.0.1:5353)';
  await assert.rejects(deliver({ ...world.deps, dnsProblem }, job, { receiveCount: 1 }), { fault: 'dns' });
  const { state, next, attempts, lease } = world.state(job);
  assert.deepEqual([state, next?.attempt, next?.reason, attempts, lease], ['waiting', 1, await dnsProblem(), [], null]);
  await deliver({ ...world.deps, dnsProblem: async () => null }, job, { receiveCount: 1, faults: 1 });
  assert.match(world.state(job).next?.reason ?? '', /the DNS does not answer for far\.example/);
});
