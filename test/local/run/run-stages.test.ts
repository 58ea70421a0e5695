// The worker pools: every job gets an answer, whatever the stage does with it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type RunStagesDeps, runStages } from '#local/run/run-stages.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import { type QueueName, stages } from '#pipeline/contract/stages.ts';
import type { StageRuns } from '#pipeline/run/run-job.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import { idleRuns, openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

test('a stage is called with the job as it was sent, and the job is done when it returns', async (t) => {
  const seen: unknown[] = [];
  const { world } = await running(t, {
    received: async (job, handout) => {
      seen.push([job, handout]);
      return done;
    },
  });
  const sent = sampleReceivedJob();
  await world.jobs.send('received', sent);
  await isEmpty(world, 'received');
  assert.partialDeepStrictEqual(seen, [[sent, { receiveCount: 1 }]]);
  assert.equal((await counts(world, 'received')).dead, 0);
});

test('what a stage throws is logged with the id, and the job comes again until it is a dead letter with the reason', async (t) => {
  const receiveCounts: number[] = [];
  const { world, log } = await running(t, {
    received: async (_job, { receiveCount }) => {
      receiveCounts.push(receiveCount);
      throw new Error(`the store is down (${receiveCount})`);
    },
  });
  const sent = sampleReceivedJob();
  await world.jobs.send('received', sent);
  const all = Array.from({ length: stages.authenticate.maxReceives }, (_, index) => index + 1);
  for (const tries of all) {
    await eventually('it is tried', () => receiveCounts.length === tries);
    await eventually('it is answered for', async () => (await counts(world, 'received')).inFlight === 0);
    world.clock.advance(301_000);
    await world.tick();
  }
  assert.deepEqual(receiveCounts, all);
  const [dead] = await world.admin.deadLetters('received', 10);
  assert.equal(dead?.reason, `Error: the store is down (${all.length})`);
  assert.equal(dead?.id, sent.id);
  assert.equal(log.of('job-failed').length, all.length - 1);
  assert.equal(log.of('job-dead')[0]?.fields['id'], sent.id);
});

test('a body that is no job of its queue is a dead letter at once, and the stage never sees it', async (t) => {
  let calls = 0;
  const { world } = await running(t, {
    deliver: async () => {
      calls += 1;
      return done;
    },
  });
  const tampered = { ...sampleDeliverJob(), recipients: [] };
  const database = await import('node:sqlite').then(
    ({ DatabaseSync }) => new DatabaseSync(`${world.folder}/pillarbox.sqlite`),
  );
  await world.jobs.send('deliver', sampleDeliverJob(), { notBefore: new Date(world.clock() + 60_000).toISOString() });
  database.prepare('UPDATE jobs SET body = ?').run(JSON.stringify(tampered));
  database.close();
  world.clock.advance(61_000);
  await world.tick();
  await isEmpty(world, 'deliver');
  assert.equal(calls, 0);
  const [dead] = await world.admin.deadLetters('deliver', 10);
  assert.match(dead?.reason ?? '', /not a job of queue deliver: .*recipients/s);
});

test('a run that takes too long counts as failed and frees its slot', async (t) => {
  const table = {
    ...stages,
    authenticate: { ...stages.authenticate, timeoutSeconds: 0.05, maxConcurrency: { aws: 1, local: 1 } },
  };
  let calls = 0;
  const { world, log } = await running(
    t,
    {
      received: () => {
        calls += 1;
        return calls === 1 ? new Promise(() => {}) : Promise.resolve(done);
      },
    },
    table,
  );
  await world.jobs.send('received', sampleReceivedJob());
  await world.jobs.send('received', sampleReceivedJob());
  await eventually('the second is run', () => calls === 2);
  await eventually('the first is logged', () => log.of('job-failed').length === 1);
  assert.match(String(log.of('job-failed')[0]?.fields['error']), /took longer than/);
});

test('a stage that has more time on one machine than on AWS is not cut at the time it has there', async (t) => {
  const table = { ...stages, authenticate: { ...stages.authenticate, timeoutSeconds: 0.05, localTimeoutSeconds: 60 } };
  const run = () => new Promise<typeof done>((resolve) => setTimeout(resolve, 200, done));
  const { world, log } = await running(t, { received: run }, table);
  await world.jobs.send('received', sampleReceivedJob());
  await isEmpty(world, 'received');
  assert.deepEqual(log.of('job-failed'), []);
});

test('no more runs are under way at once than the table says', async (t) => {
  let now = 0;
  let most = 0;
  const allowed = stages.authenticate.maxConcurrency.local;
  const allThere = Promise.withResolvers<void>();
  const { world } = await running(t, {
    received: async () => {
      now += 1;
      most = Math.max(most, now);
      if (now >= allowed) allThere.resolve();
      await allThere.promise;
      await new Promise((resolve) => setTimeout(resolve, 5));
      now -= 1;
      return done;
    },
  });
  await Promise.all(Array.from({ length: 100 }, () => world.jobs.send('received', sampleReceivedJob())));
  await isEmpty(world, 'received');
  assert.equal(most, allowed);
});

test('stopping lets what runs finish, and leaves the rest in the queue', async (t) => {
  const gate = Promise.withResolvers<void>();
  let started = 0;
  const { world, pool } = await running(t, {
    received: async () => {
      started += 1;
      await gate.promise;
      return done;
    },
  });
  const atOnce = stages.authenticate.maxConcurrency.local;
  await Promise.all(Array.from({ length: atOnce + 12 }, () => world.jobs.send('received', sampleReceivedJob())));
  await eventually('the pool is full', () => started === atOnce);
  const stopped = pool.stop(10);
  gate.resolve();
  await stopped;
  const { ready, inFlight } = await counts(world, 'received');
  assert.deepEqual({ started, ready, inFlight }, { started: atOnce, ready: 12, inFlight: 0 });
});

test('stopping does not wait longer than it was told', async (t) => {
  const { world, pool } = await running(t, { received: () => new Promise(() => {}) });
  await world.jobs.send('received', sampleReceivedJob());
  await eventually('it runs', async () => (await counts(world, 'received')).inFlight === 1);
  const elapsedMs = stopwatch();
  await pool.stop(0.1);
  assert.ok(elapsedMs() < 2_000);
});

test('jobs that wait for others hold no worker: four times as many as there are workers, and the next is taken at once', async (t) => {
  const release = Promise.withResolvers<void>();
  let waiting = 0;
  const ordinary = sampleReceivedJob();
  let isDone = false;
  const { world } = await running(t, {
    received: async (job, { whileWaiting }) => {
      if (job.id === ordinary.id) {
        isDone = true;
        return done;
      }
      waiting += 1;
      await whileWaiting?.(() => release.promise);
      return done;
    },
  });
  const workers = stages.authenticate.maxConcurrency.local;
  const send = (group: string) => world.jobs.send('received', { ...sampleReceivedJob(), id: otherId }, { group });
  await Promise.all(Array.from({ length: 4 * workers }, (_, n) => send(`192.0.2.0/24 n${n}.test`)));
  await eventually('all of them wait', () => waiting === 4 * workers);
  await world.jobs.send('received', ordinary);
  await eventually('the next is done', () => isDone);
  release.resolve();
  await isEmpty(world, 'received');
});

test('no network has more than five sixths of the room for jobs that wait', async (t) => {
  const release = Promise.withResolvers<void>();
  const waiting = { here: 0, there: 0 };
  const maxWaiting = 20;
  const table = {
    ...stages,
    authenticate: { ...stages.authenticate, maxConcurrency: { aws: 1, local: 4 }, maxWaiting },
  };
  const { world } = await running(
    t,
    {
      received: async ({ envelope: { reversePath } }, { whileWaiting }) => {
        waiting[reversePath === 'here@sender.example' ? 'here' : 'there'] += 1;
        await whileWaiting?.(() => release.promise);
        return done;
      },
    },
    table,
  );
  const send = (who: string, group: string) =>
    world.jobs.send('received', sampleReceivedJob({ reversePath: `${who}@sender.example` }), { group });
  await Promise.all(Array.from({ length: 40 }, (_, n) => send('here', `192.0.2.0/24 n${n}.test`)));
  await eventually('its share is taken', () => waiting.here === 20);
  await send('there', '198.51.100.0/24 sender.example');
  await eventually('the other is taken', () => waiting.there === 1);
  assert.equal(waiting.here, 20);
  release.resolve();
  await isEmpty(world, 'received');
});

const done = { outcome: 'done' };
const otherId = '01KAJZ3M8R00000000000000ZZ' as MessageId;

async function running(t: TestContext, runs: Partial<StageRuns>, table: RunStagesDeps['table'] = stages) {
  const world = await openTestWorld();
  const log = silentLog();
  const pool = runStages({
    source: world.source,
    runs: { ...idleRuns(), ...runs },
    config: fixedConfig(),
    random: Math.random,
    clock: world.clock,
    log,
    metrics: noMetrics(),
    ...(table === undefined ? {} : { table }),
  });
  t.after(async () => {
    await pool.stop(0);
    await world.close();
  });
  return { world, log, pool };
}

async function counts(world: TestWorld, queue: QueueName) {
  return (await world.admin.queues()).find(({ name }) => name === queue)!;
}

async function isEmpty(world: TestWorld, queue: QueueName): Promise<void> {
  await eventually(`${queue} is empty`, async () => {
    const { ready, delayed, inFlight } = await counts(world, queue);
    return ready + delayed + inFlight === 0;
  });
}
