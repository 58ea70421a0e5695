// The days of a message that nobody takes, on the queues of both worlds with a set clock: attempts on schedule (over hops of
// 900 s on SQS), one warning, one bounce, and nothing left in the end.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { deliver } from '#functions/deliver/deliver.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import { createConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { createAwsIntake } from '#pipeline/aws/intake.ts';
import { consumeSqsEvent } from '#pipeline/aws/sqs-event-consumer.ts';
import { type DeliverJob, deliverJobSchema } from '#pipeline/contract/jobs.ts';
import { deliveryKey, rawKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { deliveryStateSchema } from '#pipeline/contract/records/delivery.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { emulatedAws } from '#test/support/aws/emulated-aws.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { type ScriptedMx, startMx } from '#test/support/peers/scripted-mx.ts';
import { amount } from '#test/support/time/soak.ts';
import { openTestWorld } from '#test/support/worlds/embedded-world.ts';

const days = 86_400;
const scheduleSeconds = [300, 600, 1_200, 2_400, 3_600, 7_200, 14_400];

type Ports = Pick<DeliverDeps, 'store' | 'jobs' | 'intake' | 'clock' | 'soleWorker'> & { readonly store: ObjectStore };
type World = {
  readonly ports: Ports;
  readonly advance: (seconds: number) => Promise<void>;
  /** Hands out what is due on queue `deliver`, as this world does; how many times the stage ran. */
  readonly turn: (run: (job: DeliverJob, receiveCount: number) => Promise<{ outcome: string }>) => Promise<number>;
  /** Bodies on queue `received`. */
  readonly received: () => Promise<readonly any[]>;
  /** The longest wait before the queue must be asked again. */
  readonly longestStep: number;
  /** How often a job came early and was sent on. */
  readonly hops: () => number;
};

async function embedded(t: TestContext): Promise<World> {
  const world = await openTestWorld({ t });
  const { store, jobs, intake, clock } = world;
  return {
    ports: { store, jobs, intake, clock, soleWorker: true },
    longestStep: 5 * days,
    hops: () => 0,
    advance: async (seconds) => {
      clock.advance(seconds * 1_000);
      await world.tick();
    },
    turn: async (run) => {
      const handed = await world.receive('deliver', 10);
      for (const job of handed) {
        await run(deliverJobSchema.parse(JSON.parse(job.body)), job.receiveCount);
        await job.done();
      }
      return handed.length;
    },
    received: async () => (await world.receive('received', 10)).map(({ body }) => JSON.parse(body)),
  };
}

async function aws(): Promise<World> {
  const world = await emulatedAws();
  const { store, jobs, upload, clock } = world;
  const metrics = noMetrics();
  return {
    ports: { store, jobs, intake: createAwsIntake({ upload, jobs }), clock },
    longestStep: 900,
    hops: () => metrics.total('job-hops'),
    advance: world.advance,
    turn: async (run) => {
      let runs = 0;
      const consumer = {
        queue: 'deliver' as const,
        run: (job: DeliverJob, { receiveCount }: { receiveCount: number }) => {
          runs += 1;
          return run(job, receiveCount);
        },
        jobs,
        putBack: jobs.putBack,
        stage: stages.deliver,
        changeVisibility: async () => undefined,
        moveToDeadLetters: async () => assert.fail('a job failed'),
        config: fixedConfig(),
        random: Math.random,
        clock,
        log: silentLog(),
        metrics,
      };
      const receiver = world.receiver('deliver');
      const Records = await receiver.receive({ max: 10, waitSeconds: 0 });
      if (Records.length === 0) return 0;
      assert.deepEqual(await consumeSqsEvent({ Records }, consumer), { batchItemFailures: [] });
      await receiver.remove(Records);
      return runs;
    },
    received: async () =>
      (await world.receiver('received').receive({ max: 10, waitSeconds: 0 })).map(({ body }) => JSON.parse(body)),
  };
}

for (const { title, open, life } of [
  { title: 'five days on the embedded world', open: embedded, life: 5 },
  { title: `${amount(2, 5)} days on S3 and SQS`, open: aws, life: amount(2, 5) },
]) {
  test(`${title}: attempts on schedule, one delay warning, one bounce, nothing left`, async (t) => {
    const mx = await startMx({ answer: (line) => (line.startsWith('RCPT') ? '450 4.2.0 come back' : undefined) });
    const world = await open(t);
    const { deps, job } = await put(world.ports, mx, life);
    t.after(() => Promise.all([mx.close(), deps.connections.close()]));
    const born = world.ports.clock();
    const ranAt: number[] = [];
    const read = async () => deliveryStateSchema.parse(JSON.parse(await textOf(world.ports.store, deliveryKey(job))));
    await world.ports.jobs.send('deliver', job);
    for (let n = 0; n < 2_000; n++) {
      const runs = await world.turn((one, receiveCount) => {
        ranAt.push((world.ports.clock() - born) / 1_000);
        return deliver(deps, one, { receiveCount });
      });
      const state = ranAt.length === 0 ? null : await read();
      if (state !== null && state.next === null) break;
      if (runs > 0 || state === null) continue;
      const leftSeconds = Math.ceil((Date.parse(state.next?.at ?? '') - world.ports.clock()) / 1_000);
      await world.advance(Math.min(world.longestStep, Math.max(1, leftSeconds)));
    }
    const state = await read();
    assert.equal(state.state, 'bounced');
    assert.equal(state.recipients[0]!.status, '5.4.7');
    const gaps = ranAt.slice(1, -1).map((at, n) => at - ranAt[n]!);
    for (const [n, gap] of gaps.entries()) {
      const wanted = scheduleSeconds[Math.min(n, scheduleSeconds.length - 1)]!;
      assert.ok(gap >= wanted - 1 && gap < wanted + 60, `wait ${n} was ${gap} s, for ${wanted}`);
    }
    assert.ok(Math.abs(ranAt.at(-1)! - life * days) < 120, `given up after ${ranAt.at(-1)} s`);
    assert.equal(state.attempts.length, ranAt.length, 'no run without an attempt');
    const expectedHops = world.longestStep === 900 ? life * 96 - 2 * ranAt.length : 0;
    assert.ok(world.hops() >= expectedHops, `${world.hops()} hops`);
    const told = await world.received();
    assert.deepEqual(
      told.map(({ envelope }) => envelope.reversePath),
      ['', ''],
    );
    const texts = await Promise.all(told.map(({ raw }) => textOf(world.ports.store, raw.key)));
    assert.deepEqual(texts.map((text) => /^Action: (\w+)/m.exec(text)?.[1]).sort(), ['delayed', 'failed']);
    await world.advance(900);
    assert.equal(await world.turn(() => Promise.resolve({ outcome: 'none' })), 0, 'nothing is left on the queue');
  });
}

async function put(ports: Ports, mx: ScriptedMx, life: number): Promise<{ deps: DeliverDeps; job: DeliverJob }> {
  const newMessageId = messageIdFactory();
  const at = new Date(ports.clock()).toISOString();
  const id = newMessageId(ports.clock());
  const key = rawKey({ id, receivedAt: at });
  const body = Buffer.from('From: <a@sender.example>\r\nSubject: patience\r\n\r\nHello.\r\n');
  await ports.store.put({ key, body, contentType: 'message/rfc822' });
  const deps: DeliverDeps = {
    ...ports,
    config: fixedConfig({
      hostname: 'mx.sender.example',
      domains: { 'sender.example': { mailboxes: ['a'] } },
      delivery: { port: mx.port, allowPrivateTargets: true, attemptSeconds: 10 },
    }),
    secrets: { read: () => Promise.reject(new Error('no secrets here')) },
    resolve: zoneResolver({ 'far.example': { A: ['127.0.0.1'] } }),
    log: silentLog(),
    metrics: noMetrics(),
    newMessageId,
    connections: createConnectionPool(),
    memory: createWorkerMemory(),
    fetchPolicy: async () => ({ outcome: 'failed', reason: 'there is none' }),
    random: () => 0.5,
  };
  const session = { role: 'submission' as const, clientIp: null, clientName: null, helo: null, tls: null, user: 'a' };
  const job = deliverJobSchema.parse({
    version: 1,
    id,
    receivedAt: at,
    raw: { key, bytes: body.length, sha256: '0'.repeat(64) },
    session,
    reversePath: 'a@sender.example',
    bodyType: '7bit',
    smtpUtf8: false,
    requireTls: false,
    dsn: { ret: null, envid: null },
    domain: 'far.example',
    recipients: [{ forwardPath: 'b@far.example', dsn: { notify: null, orcpt: null }, originalForwardPath: null }],
    signingDomain: null,
    attempt: 1,
    firstAttemptAt: null,
    expiresAt: new Date(Date.parse(at) + life * days * 1_000).toISOString(),
  });
  return { deps, job };
}

async function textOf(store: ObjectStore, key: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  const object = await store.get(key);
  assert.ok(object !== null, key);
  for await (const piece of object.body) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}
