// One hand-out of one job, without a queue: what it comes to, what is logged, what is counted. Both worlds answer their queues by it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stages } from '#pipeline/contract/stages.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import { type HandedOut, type RunStage, runJob } from '#pipeline/run/run-job.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';

type Case = {
  readonly what: string;
  readonly run?: RunStage<'deliver'>;
  readonly over?: Partial<HandedOut>;
  readonly answer: object;
  readonly outcome: string | null;
  readonly event?: string;
};

const submitted = { ...sampleDeliverJob().envelope.session, role: 'submission', user: 'app@sender.example' } as const;
const job = sampleDeliverJob({ session: submitted });
const clock = setClock();
const inSeconds = (seconds: number): string => new Date(clock() + seconds * 1_000).toISOString();
const throws = (thrown: unknown) => async (): Promise<never> => {
  throw thrown;
};

const cases: readonly Case[] = [
  {
    what: 'a run that ends well is done, and finds mended what it waited for',
    run: async () => ({ outcome: 'delivered' }),
    answer: { answer: 'done', isMended: true },
    outcome: 'delivered',
  },
  {
    what: 'a run that only put the job off says nothing of a fault',
    run: async () => ({ outcome: 'waiting' }),
    answer: { answer: 'done', isMended: false },
    outcome: 'waiting',
  },
  {
    what: 'a run that gave up while the fault of ours is there says so',
    run: async () => ({ outcome: 'bounced', isOurFault: true }),
    answer: { answer: 'done', isMended: false },
    outcome: 'bounced',
  },
  {
    what: 'a run that put the message off because of a fault of ours counts as one that waits for it: the alarm is on those',
    run: async () => ({ outcome: 'deferred', isOurFault: true }),
    answer: { answer: 'done', isMended: false },
    outcome: 'waits',
  },
  {
    what: 'the first failure comes again after 5 s',
    run: throws(new Error('a bug')),
    answer: { answer: 'again', delaySeconds: 5, reason: 'Error: a bug' },
    outcome: 'failed',
    event: 'job-failed',
  },
  {
    what: 'the fourth after 40 s',
    run: throws(new Error('a bug')),
    over: { receiveCount: 4 },
    answer: { answer: 'again', delaySeconds: 40, reason: 'Error: a bug' },
    outcome: 'failed',
    event: 'job-failed',
  },
  {
    what: 'the eighth is a dead letter, and the sender is told',
    run: throws(new Error('a bug')),
    over: { receiveCount: 8 },
    answer: { answer: 'dead', reason: 'Error: a bug', tell: 1 },
    outcome: 'failed',
    event: 'job-dead',
  },
  {
    what: 'a run over its time failed',
    run: () => new Promise(() => {}),
    answer: { answer: 'again', delaySeconds: 5, reason: 'Error: deliver took longer than 0.01 s' },
    outcome: 'failed',
    event: 'job-failed',
  },
  {
    what: 'a fault of ours is not counted: the job comes later',
    run: throws(ownFault('secret', 'the key is not there')),
    over: { receiveCount: 5, faults: 1 },
    answer: { answer: 'later', job, notBefore: inSeconds(60), faults: 2, reason: 'the key is not there' },
    outcome: 'waits',
    event: 'own-fault',
  },
  {
    what: 'a job that is early is not run',
    over: { notBefore: inSeconds(1), faults: 3 },
    answer: { answer: 'later', job, notBefore: inSeconds(1), faults: 3, reason: 'it is not due yet' },
    outcome: null,
  },
  {
    what: 'a job that may not be run any more is given up',
    over: { spent: 'handed out too often' },
    answer: { answer: 'dead', reason: 'handed out too often', tell: 1 },
    outcome: 'failed',
    event: 'job-dead',
  },
  {
    what: 'a body that is no JSON is a dead letter of which nobody is told',
    over: { body: 'x' },
    answer: { answer: 'unreadable', reason: 'not a job of queue deliver: it is no JSON' },
    outcome: 'unreadable',
    event: 'job-dead',
  },
];
for (const { what, run, over = {}, answer, outcome, event } of cases) {
  test(what, async () => {
    const [log, metrics] = [silentLog(), noMetrics()];
    const deps = { config: fixedConfig(), random: () => 0, clock, log, metrics };
    const never = async () => assert.fail('it was run');
    const lane = { queue: 'deliver', stage: stages.deliver, run: run ?? never, limitSeconds: 0.01 } as const;
    const fresh = { body: JSON.stringify(job), receiveCount: 1, faults: 0, spent: null, named: {} };
    const given = await runJob(deps, lane, { ...fresh, ...over });
    assert.deepEqual(given.answer === 'dead' ? { ...given, tell: given.tell.length } : given, answer);
    const counted = metrics.recorded.filter(({ name }) => name === 'jobs').map(({ labels }) => labels);
    assert.deepEqual(counted, outcome === null ? [] : [{ stage: 'deliver', queue: 'deliver', outcome }]);
    assert.deepEqual(
      log.entries.map((entry) => entry.event),
      event === undefined ? [] : [event],
    );
  });
}
