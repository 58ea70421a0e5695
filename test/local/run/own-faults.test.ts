// Faults of ours over the embedded queue: the real deliver stage, real sockets, a set clock. Mail waits as long as it lives.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { deliver } from '#functions/deliver/deliver.ts';
import { createConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import { runStages } from '#local/run/run-stages.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { createSecrets, secretFiles } from '#pipeline/config/secrets.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { deliveryKey, rawKey } from '#pipeline/contract/keys.ts';
import type { Intake } from '#pipeline/contract/ports.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { type ScriptedMx, startMx } from '#test/support/peers/scripted-mx.ts';
import { type Flat, sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';
import { idleRuns, openTestWorld, temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const mails = 60;
const hour = 3_600_000;
const { privateKey } = generateKeyPairSync('ed25519');
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const faults = [
  {
    name: 'is not there',
    secret: 'key.pem',
    broken: null,
    reason: /^the DKIM key "file:key.pem" cannot be read: ENOENT/,
  },
  { name: 'is garbage', secret: 'key.pem', broken: 'garbage', reason: /^the DKIM key "file:key.pem" cannot be used: / },
];
for (const { name, secret, broken, reason } of faults) {
  test(`while a DKIM key ${name}, ${mails} mails wait for hours, none is given up, and all go out once it is mended`, async (t) => {
    const world = await deliveringWorld(t, { domains: signedDomains });
    if (broken !== null) writeFileSync(join(world.folder, secret), broken);
    const jobs = await world.send(mails, { signingDomain: 'sender.example' });
    await world.pass(3 * hour, 20 * 60_000);
    assert.equal((await world.counts()).dead, 0);
    assert.equal(world.mx.mails.length, 0);
    const state = await world.state(jobs[0]!);
    assert.equal(state.state, 'waiting');
    assert.match(state.next.reason, reason);
    assert.equal(state.lease, null);
    assert.ok(Date.parse(state.next.at) - world.clock() <= 15 * 60_000);
    writeFileSync(join(world.folder, secret), pem);
    await world.pass(15 * 60_000, 5 * 60_000);
    assert.equal(world.mx.mails.length, mails);
    assert.equal(new Set(world.mx.mails.map(({ content }) => /^Message-ID: (.*)$/m.exec(content)?.[1])).size, mails);
    assert.equal((await world.state(jobs.at(-1)!)).state, 'delivered');
  });
}

test('a relay whose password cannot be read keeps all mail for as long as it lives; then it bounces as what expires does', async (t) => {
  const relay = { host: '127.0.0.1', port: 0, tls: 'none' as const, user: 'us', password: 'secret:relay' };
  const world = await deliveringWorld(t, { domains: signedDomains, delivery: { mode: 'smarthost', smarthost: relay } });
  const [job] = await world.send(mails, {});
  await world.pass(6 * hour, hour);
  assert.deepEqual([(await world.counts()).dead, world.mx.mails.length], [0, 0]);
  assert.match((await world.state(job!)).next.reason, /^secret "secret:relay" cannot be read: ENOENT/);
  writeFileSync(join(world.folder, 'relay'), 'open sesame');
  await world.pass(15 * 60_000, 5 * 60_000);
  assert.equal(world.mx.mails.length, mails);
  rmSync(join(world.folder, 'relay'));
  world.clock.advance(hour);
  const [late] = await world.send(1, {});
  await world.pass(124 * hour, 31 * hour);
  const state = await world.state(late!);
  assert.deepEqual([state.state, state.recipients[0].status, (await world.counts()).dead], ['bounced', '5.4.7', 0]);
  assert.match(state.attempts.at(-1).reason, /^secret "secret:relay" cannot be read/, 'operators find the true reason');
  const told = await world.told();
  assert.equal(
    told.filter((text) => text.includes('Subject: Delayed mail')).length,
    mails + 1,
    'warned after four hours, once',
  );
  const last = told.at(-1)!;
  assert.match(last, /it could not be delivered for 5 days; the last reason was: a fault of\s+this mail service/);
  assert.doesNotMatch(told.join(), /secret|ENOENT/, 'a report says nothing of what is wrong here');
});

test('one domain whose key is broken keeps no other waiting, and the first that finds it mended lets all go', async (t) => {
  const world = await deliveringWorld(t, { domains: { ...signedDomains, 'other.example': { mailboxes: ['a'] } } });
  await world.send(20, { signingDomain: 'sender.example' });
  await world.pass(2 * hour, 15 * 60_000);
  await world.send(10, { signingDomain: 'other.example', domain: 'other.example' });
  await world.pass(0, 1);
  assert.equal(world.mx.mails.length, 10);
  writeFileSync(join(world.folder, 'key.pem'), pem);
  const first = Math.min(...(await world.faults()).map(({ retryAt }) => Date.parse(retryAt)));
  world.clock.set(first);
  await world.pass(2, 1);
  assert.equal(world.mx.mails.length, 30);
  assert.deepEqual(await world.faults(), []);
});

test('mail whose sender is warned while the fault is still there does not send all the rest of it round again', async (t) => {
  const delivery = { retrySeconds: [900], delayWarningSeconds: 1_800 };
  const world = await deliveringWorld(t, { domains: signedDomains, delivery });
  for (let n = 0; n < 25; n++) {
    await world.send(1, { signingDomain: 'sender.example' });
    await world.pass(20_000, 20_000);
  }
  await world.pass(1_300_000, 260_000);
  const before = world.runs();
  await world.pass(540_000, 20_000);
  assert.ok((await world.told()).length > 5);
  // Some 73, by chance a few more or less; all the rest once more would be 25 more.
  assert.ok(world.runs() - before < 80, `${world.runs() - before} runs`);
});

test('redrive lets what waits for us go at once', async (t) => {
  const world = await deliveringWorld(t, { domains: signedDomains });
  await world.send(30, { signingDomain: 'sender.example' });
  await world.pass(2 * hour, 15 * 60_000);
  assert.deepEqual(
    (await world.faults()).map(({ jobs }) => jobs),
    [30],
  );
  writeFileSync(join(world.folder, 'key.pem'), pem);
  assert.equal(await world.admin.redrive('deliver'), 30);
  await world.pass(2, 1);
  assert.equal(world.mx.mails.length, 30);
});

test('a job whose stored message is gone is a dead letter at once, its sender is told once, and a redrive may still deliver it', async (t) => {
  const world = await deliveringWorld(t, { domains: { 'sender.example': { mailboxes: ['a'] } } });
  const [job] = await world.send(1, {}, { isStored: false });
  await world.pass(hour, 10 * 60_000);
  assert.equal((await world.counts()).dead, 1);
  const [letter] = await world.admin.deadLetters('deliver', 1);
  assert.equal(letter?.reason, `the stored message is missing: ${job!.raw.key} is not there`);
  const state = await world.state(job!);
  assert.deepEqual([state.state, state.recipients[0].status, state.lease], ['bounced', '5.3.0', null]);
  assert.match(state.givenUp.reason, /is not there/);
  const [told, ...more] = await world.told();
  assert.deepEqual(more, []);
  assert.match(told!, /Final-Recipient: rfc822; ?bob@far\.example/);
  assert.match(told!, /a fault of this mail service, not of the address/);
  assert.match(told!, /may still\s+arrive/);
  assert.doesNotMatch(told!, /raw\//);

  assert.equal(await world.admin.redrive('deliver'), 1);
  await world.pass(2, 1);
  assert.deepEqual(
    [(await world.counts()).dead, (await world.told()).length],
    [1, 1],
    'it died again, and is not told again',
  );
  await world.store(job!);
  assert.equal(await world.admin.redrive('deliver'), 1);
  await world.pass(2, 1);
  assert.equal(world.mx.mails.length, 1);
  assert.equal((await world.state(job!)).state, 'delivered');
});

test('a dead letter for a stranger who is not proven, or for the null reverse-path, tells nobody', async (t) => {
  const world = await deliveringWorld(t, { domains: { 'sender.example': { mailboxes: ['a'] } } });
  const stranger = { session: { ...sampleDeliverJob().envelope.session, user: null, role: 'mx' as const } };
  await world.send(1, { ...stranger, sender: { proven: false, reason: 'SPF fails' } }, { isStored: false });
  await world.send(1, { reversePath: '' }, { isStored: false });
  await world.pass(hour, 10 * 60_000);
  assert.deepEqual([(await world.counts()).dead, (await world.told()).length], [2, 0]);
});

const signedDomains = {
  'sender.example': { mailboxes: ['a'], dkim: [{ selector: 's1', privateKey: 'file:key.pem' }] },
};

async function deliveringWorld(t: TestContext, config: ConfigInput) {
  const folder = temporaryFolder();
  const world = await openTestWorld();
  const mx = await startMx({
    offers: ['PIPELINING', 'AUTH PLAIN'],
    answer: (line) => (line.startsWith('AUTH') ? '235 2.7.0 welcome' : undefined),
  });
  const { clock, store, jobs } = world;
  const intaken: string[] = [];
  const intake: Intake = {
    open: (request) => {
      intaken.push(request.key);
      return world.intake.open(request);
    },
  };
  const log = silentLog();
  const metrics = noMetrics();
  const source = fixedConfig({
    hostname: 'mx.sender.example',
    ...config,
    delivery: {
      allowPrivateTargets: true,
      port: mx.port,
      connectionsPerDestination: 100,
      ...config.delivery,
      ...(config.delivery?.smarthost ? { smarthost: { ...config.delivery.smarthost, port: mx.port } } : {}),
    },
  });
  const secrets = createSecrets({ named: secretFiles(folder), directory: folder, environment: {}, clock });
  const newMessageId = messageIdFactory();
  const connections = createConnectionPool();
  const resolve = zoneResolver({ 'far.example': { A: ['127.0.0.1'] }, 'other.example': { A: ['127.0.0.1'] } });
  const shared = {
    store,
    jobs,
    intake,
    config: source,
    secrets,
    resolve,
    clock,
    log,
    metrics,
    newMessageId,
    connections,
    memory: createWorkerMemory(),
    fetchPolicy: async () => ({ outcome: 'failed', reason: 'there is none' }) as const,
  };
  let runs = 0;
  const pool = runStages({
    ...shared,
    source: world.source,
    runs: {
      ...idleRuns(),
      deliver: (job, handout) => {
        runs += 1;
        return deliver({ ...shared, random: Math.random, soleWorker: true }, job, handout);
      },
    },
    random: Math.random,
  });
  t.after(async () => {
    await pool.stop(0);
    await connections.close();
    await mx.close();
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const counts = async () => (await world.admin.queues()).find(({ name }) => name === 'deliver')!;
  const isQuiet = async (): Promise<boolean> => {
    const { ready, inFlight } = await counts();
    return ready + inFlight === 0;
  };
  return {
    folder,
    clock,
    mx: mx as ScriptedMx,
    log,
    counts,
    runs: () => runs,
    admin: world.admin,
    /** Lets the time pass in steps, and after each waits until all that was due is done. */
    pass: async (ms: number, stepMs: number): Promise<void> => {
      await eventually('the queue is quiet', isQuiet);
      for (let passed = 0; passed < ms; passed += stepMs) {
        clock.advance(stepMs);
        await world.tick();
        await eventually('the queue is quiet', isQuiet, 60);
      }
    },
    faults: async () => (await counts()).faults,
    /** The reports that were put in at the front door. */
    told: async (): Promise<readonly string[]> => {
      const reports = [...intaken.values()];
      return Promise.all(reports.map(async (key) => (await collect((await store.get(key))!.body)).toString()));
    },
    store: async ({ raw }: DeliverJob) => {
      await store.put({ key: raw.key, body: messageOf(0), contentType: 'message/rfc822' });
    },
    send: async (
      count: number,
      over: Partial<Flat<DeliverJob>>,
      { isStored = true } = {},
    ): Promise<readonly DeliverJob[]> => {
      const made = Array.from({ length: count }, (_, n) => {
        const id = newMessageId(clock());
        const receivedAt = new Date(clock()).toISOString();
        const content = messageOf(n);
        const raw = { key: rawKey({ id, receivedAt }), bytes: content.length, sha256: sha256(content) };
        const session = {
          ...sampleDeliverJob().envelope.session,
          role: 'submission',
          user: 'a@sender.example',
        } as const;
        const reversePath = 'a@sender.example';
        const job = sampleDeliverJob({ id, receivedAt, raw, session, reversePath, domain: 'far.example', ...over });
        return { job, content };
      });
      await Promise.all(
        made.map(async ({ job, content }) => {
          if (isStored) await store.put({ key: job.raw.key, body: content, contentType: 'message/rfc822' });
          await jobs.send('deliver', job, { group: job.domain });
        }),
      );
      return made.map(({ job }) => job);
    },
    state: async (job: DeliverJob) => JSON.parse((await collect((await store.get(deliveryKey(job)))!.body)).toString()),
  };
}

function messageOf(n: number): Buffer {
  return Buffer.from(`From: <a@sender.example>\r\nMessage-ID: <${n}@sender.example>\r\n\r\nHello.\r\n`);
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
