// The trace of a message whose job fails right now: which stage, with what, how often, and when again. By the embedded queue, and by
// the log of a deployment, whose queues cannot be asked.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { runStages } from '#local/run/run-stages.ts';
import type { MailDeps } from '#ops/deps.ts';
import { traceMessage } from '#ops/trace/trace-message.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { createLog } from '#pipeline/observe/log.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import { runJob } from '#pipeline/run/run-job.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { sampleWorld } from '#test/support/samples/sample-message.ts';
import { idleRuns, openTestWorld, type TestWorld } from '#test/support/worlds/embedded-world.ts';

async function whereOf(deps: Partial<MailDeps>, id: string): Promise<readonly string[]> {
  const asked = { query: new URLSearchParams(), parts: { ID: id } } as never;
  const { body } = await traceMessage.answer(deps as MailDeps, asked);
  return JSON.parse(String(body)).where;
}

/** An embedded world with one stored message; its job on this queue fails with what `thrown` is. */
async function failingWorld(t: TestContext, queue: QueueName) {
  const world: TestWorld = await openTestWorld();
  const state: { thrown: unknown; runs: number; held: Promise<void> | null } = { thrown: null, runs: 0, held: null };
  const run = async () => {
    state.runs += 1;
    await state.held;
    if (state.thrown !== null) throw state.thrown;
    return { outcome: 'done' };
  };
  const job = sampleReceivedJob();
  const writer = world.intake.open({ key: job.raw.key, envelope: {} });
  void writer.write(Buffer.from('Subject: hello\r\n\r\nhello\r\n'));
  await writer.commit(job);
  if (queue === 'deliver') await world.jobs.send('deliver', { ...sampleDeliverJob(), id: job.id });
  const start = () => {
    const pool = runStages({
      source: world.source,
      runs: { ...idleRuns(), [queue]: run },
      config: fixedConfig(),
      random: () => 0,
      clock: world.clock,
      log: silentLog(),
      metrics: noMetrics(),
    });
    t.after(async () => {
      await pool.stop(0);
      await world.close();
    });
  };
  const where = () => whereOf({ admin: world.admin, store: world.store, clock: world.clock } as never, job.id);
  /** Moves the clock until so many runs have ended. */
  const whenRun = async (count: number) => {
    for (;;) {
      await world.admin.queues();
      const isOut = (await world.admin.queues()).some(({ inFlight }) => inFlight > 0);
      if (state.runs >= count && !isOut) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { world, state, start, where, whenRun };
}

for (const queue of ['received', 'deliver'] as const) {
  test(`a job on ${queue} that fails is told with its error, its tries and its next time, until it is done`, async (t) => {
    const { world, state, start, where, whenRun } = await failingWorld(t, queue);
    state.thrown = new Error('the store does not answer');
    start();
    await whenRun(1);
    const at = (seconds: number) => new Date(world.clock() + seconds * 1_000).toISOString();
    const { firstSeconds } = stages[queue === 'deliver' ? 'deliver' : 'authenticate'].backOff;
    const told = (times: string, again: string) =>
      `on queue ${queue}, where it has failed ${times}, the last time with: the store does not answer; ${again}`;
    assert.deepEqual(await where(), [told('once', `tried again at ${at(firstSeconds)}`)]);
    const gate = Promise.withResolvers<void>();
    state.held = gate.promise;
    world.clock.advance(firstSeconds * 1_000);
    await world.admin.queues();
    while (state.runs < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(await where(), [told('once', 'it is being tried again')], 'while the second run is under way');
    gate.resolve();
    await whenRun(2);
    assert.deepEqual(await where(), [told('2 times', `tried again at ${at(firstSeconds * 2)}`)]);
    state.thrown = ownFault('secret', 'the DKIM key cannot be read');
    world.clock.advance(firstSeconds * 2_000);
    await world.admin.queues();
    await whenRun(3);
    assert.match((await where())[0] ?? '', /until this is mended: the DKIM key cannot be read; tried again at /);
    state.thrown = null;
    world.clock.advance(60_000);
    await world.admin.queues();
    await whenRun(4);
    assert.deepEqual(await where(), ['acknowledged, waiting on a queue or being worked on']);
  });
}

test('on AWS the log tells the same, and no more once the stage has done its work', async () => {
  const clock = setClock();
  const world = sampleWorld();
  const job = sampleReceivedJob();
  world.store.seed(job.raw.key, 'Subject: hello\r\n\r\nhello\r\n');
  const lines: { at: string; message: string }[] = [];
  const log = createLog({
    write: (message) => lines.push({ at: clock.iso(), message }),
    clock,
    base: { stage: 'authenticate' },
  });
  const fails = (thrown: unknown, receiveCount: number) => {
    const run = async () => {
      throw thrown;
    };
    const lane = { queue: 'received' as const, stage: stages.authenticate, run, limitSeconds: null };
    const named = { id: job.id };
    const handedOut = { body: JSON.stringify(job), receiveCount, faults: 0, spent: null, named };
    return runJob({ config: fixedConfig(), random: () => 0, clock, log, metrics: noMetrics() }, lane, handedOut);
  };
  const where = () =>
    whereOf(
      { admin: world.admin, store: world.store, clock, findLogLines: async () => ({ lines, note: null }) },
      job.id,
    );
  await fails(new Error('S3 answered 503'), 1);
  const { firstSeconds } = stages.authenticate.backOff;
  const retryAt = new Date(clock() + firstSeconds * 1_000).toISOString();
  assert.deepEqual(await where(), [
    `on queue received, where it has failed once, the last time with: S3 answered 503; tried again at ${retryAt}`,
  ]);
  await fails(ownFault('config', 'the configuration cannot be read'), 2);
  assert.match(
    (await where()).join(),
    /^on queue received until this is mended: the configuration cannot be read; tried/,
  );
  log.info('message-judged', { id: job.id });
  assert.deepEqual(await where(), ['acknowledged, waiting on a queue or being worked on']);
});
