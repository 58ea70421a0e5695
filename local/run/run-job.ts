// One hand-out of one job, from its body to the answer that its queue is given. What a stage throws is a fault of ours, for which
// the job waits uncounted, or a failure that counts; a job that dies tells its sender (pipeline/run/judge-failure.ts decides which).
import { z } from 'zod';
import { type DeliverJob, type JobOf, jobSchemas, type ParseJob, type ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Clock, Handout, Log, Metrics } from '#pipeline/contract/ports.ts';
import type { QueueName, Stage } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { givenUpJobs } from '#pipeline/run/given-up-jobs.ts';
import { type Fate, judgeFailure, lifeEnd, type Patience, usualPatience } from '#pipeline/run/judge-failure.ts';
import type { HandedOut, JobSource, NotDone } from './job-source.ts';

/** The stages to run; their outcomes are their own affair, only a throw counts here. */
export type StageFunctions = {
  readonly authenticate: (job: JobOf<'received'>, handout: Handout) => Promise<unknown>;
  /** The same for jobs of its slow lane. */
  readonly authenticateSlow: (job: JobOf<'received-slow'>, handout: Handout) => Promise<unknown>;
  readonly parse: (job: JobOf<'parse'>, handout: Handout) => Promise<unknown>;
  readonly deliver: (job: JobOf<'deliver'>, handout: Handout) => Promise<unknown>;
};

/** A job as its stage takes it: what runs it, how long its message lives, whom to tell if it dies. */
export type Task = {
  readonly run: (handout: Handout) => Promise<unknown>;
  readonly lifeEndsAt: (patience: Patience) => number;
  readonly tell: (reason: string, nowMs: number) => readonly DeliverJob[];
};

/** Makes a task of a body; the reason, as a sentence, where it is no job of the queue. */
export type ReadTask = (body: string) => Task | string;

export type RunJobDeps = {
  readonly source: Pick<JobSource, 'ack' | 'nack'>;
  /** How long jobs wait for us, and messages live; rejects where no configuration can be read. */
  readonly patience: () => Promise<Patience>;
  /** 0 to 1. */
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Waits after the first, second, third … failure that counts. */
const backoffSeconds = [1, 5, 30, 120];

/** How the jobs of each queue become tasks. */
export function taskReaders(run: StageFunctions): Readonly<Record<QueueName, ReadTask>> {
  return {
    received: readerOf('received', jobSchemas.received, run.authenticate),
    'received-slow': readerOf('received-slow', jobSchemas['received-slow'], run.authenticateSlow),
    parse: readerOf('parse', jobSchemas.parse, run.parse),
    deliver: readerOf('deliver', jobSchemas.deliver, run.deliver),
  };
}

/** A body that is not what its queue carries never gets to the stage. */
function readerOf<Job extends ReceivedJob | ParseJob | DeliverJob>(
  queue: QueueName,
  schema: z.ZodType<Job>,
  run: (job: Job, handout: Handout) => Promise<unknown>,
): ReadTask {
  return (body) => {
    const read = schema.safeParse(parseJson(body));
    if (!read.success) return `not a job of queue ${queue}: ${z.prettifyError(read.error)}`;
    const job = read.data;
    return {
      run: (handout) => run(job, handout),
      lifeEndsAt: (patience) => lifeEnd(job, patience),
      tell: (reason, nowMs) => givenUpJobs(queue, job, { reason, nowMs }),
    };
  };
}

/** Undefined, which no schema takes, where it is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Runs the job and logs what went wrong, once. What it resolves to tells the queue; called again where that failed. */
export async function runJob(
  deps: RunJobDeps,
  stage: Stage,
  {
    job,
    readTask,
    whileWaiting,
  }: {
    readonly job: HandedOut;
    readonly readTask: ReadTask;
    readonly whileWaiting: NonNullable<Handout['whileWaiting']>;
  },
): Promise<() => Promise<void>> {
  const { source, metrics } = deps;
  const startedAt = performance.now();
  const task = readTask(job.body);
  const { receiveCount, faults, spent } = job;
  const run = async (): Promise<Ran> =>
    typeof task === 'string' ? unread : runTask(stage, () => task.run({ receiveCount, faults, whileWaiting }));
  const { failure, isMended } = spent === null ? await run() : { failure: { thrown: spent }, isMended: false };
  const answer = await answerTo(deps, stage, { job, task, failure });
  metrics.measure('stage-seconds', (performance.now() - startedAt) / 1_000, { stage: stage.name });
  metrics.count('stage-runs', { stage: stage.name, outcome: answer.outcome });
  const { notDone } = answer;
  return notDone === null ? () => source.ack(job, { isMended }) : () => source.nack(job, notDone);
}

/** How long a run may take: what no platform limits has more time here than on AWS. */
export function limitSeconds({ timeoutSeconds, localTimeoutSeconds = timeoutSeconds }: Stage): number {
  return localTimeoutSeconds;
}

type Failure = { readonly thrown: unknown };

/** `failure` is null where it went well; `isMended`: it got past whatever a fault of ours had kept it from before. */
type Ran = { readonly failure: Failure | null; readonly isMended: boolean };

const unread: Ran = { failure: null, isMended: false };

/** As on AWS a run that takes too long failed; what it still does is as harmless as a second run. */
async function runTask(stage: Stage, run: () => Promise<unknown>): Promise<Ran> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Ran>((resolve) => {
    const reason = `${stage.name} took longer than ${limitSeconds(stage)} s`;
    const late = (): void => resolve({ failure: { thrown: new Error(reason) }, isMended: false });
    timer = setTimeout(late, limitSeconds(stage) * 1_000).unref();
  });
  try {
    return await Promise.race([run().then(ranWell), timeout]);
  } catch (thrown) {
    return { failure: { thrown }, isMended: false };
  } finally {
    clearTimeout(timer);
  }
}

/** What was only put off, found done, or given up on with the fault still there says nothing about the fault. */
function ranWell(result: unknown): Ran {
  const says = typeof result === 'object' && result !== null ? result : {};
  const isPutOff = 'outcome' in says && putOff.has(says.outcome);
  return { failure: null, isMended: !isPutOff && !('isOurFault' in says && says.isOurFault === true) };
}

/** Outcomes of stages that had the job queued anew, or had nothing to do. */
const putOff: ReadonlySet<unknown> = new Set(['waiting', 'duplicate', 'slow-lane', 'judge-again']);

type Ended = { readonly job: HandedOut; readonly task: Task | string; readonly failure: Failure | null };

/** The answer to the queue, and the word that it is counted by; `notDone` is null where the job is done. */
async function answerTo(
  deps: RunJobDeps,
  stage: Stage,
  { job, task, failure }: Ended,
): Promise<{ readonly outcome: string; readonly notDone: NotDone | null }> {
  const facts = { id: job.messageId, stage: stage.name, receiveCount: job.receiveCount };
  if (typeof task === 'string') {
    deps.log.error('job-dead', { ...facts, error: task });
    return { outcome: 'unreadable', notDone: { delaySeconds: null, reason: task } };
  }
  if (failure === null) return { outcome: 'done', notDone: null };
  const now = deps.clock();
  const fate = await fateOf(deps, stage, { job, task, failure });
  const { reason } = fate;
  switch (fate.fate) {
    case 'waits': {
      const retryAt = new Date(fate.retryAt).toISOString();
      deps.log.error('job-waits-for-us', { ...facts, fault: fate.kind, reason, retryAt, faults: job.faults + 1 });
      deps.metrics.count('own-faults', { kind: fate.kind });
      return { outcome: 'waits', notDone: { delaySeconds: (fate.retryAt - now) / 1_000, reason, isOurFault: true } };
    }
    case 'again': {
      deps.log.error('job-failed', { ...facts, ...errorFields(failure.thrown) });
      return { outcome: 'failed', notDone: { delaySeconds: backoffOf(job), reason } };
    }
    case 'dies': {
      deps.log.error('job-dead', { ...facts, ...errorFields(failure.thrown) });
      return { outcome: 'failed', notDone: { delaySeconds: null, reason, tell: task.tell(reason, now) } };
    }
  }
}

async function fateOf(
  { patience, clock, random }: RunJobDeps,
  { maxReceives }: Stage,
  { job, task, failure }: Ended & { readonly task: Task; readonly failure: Failure },
): Promise<Fate> {
  if (job.spent !== null) return { fate: 'dies', reason: job.spent };
  const known = await patience().catch(() => usualPatience);
  const { receiveCount, faults } = job;
  const lifeEndsAt = task.lifeEndsAt(known);
  return judgeFailure(
    { thrown: failure.thrown, receiveCount, faults, maxReceives, lifeEndsAt },
    { now: clock(), random: random(), patience: known },
  );
}

function backoffOf({ receiveCount }: HandedOut): number {
  return backoffSeconds[Math.min(receiveCount, backoffSeconds.length) - 1] ?? 0;
}
