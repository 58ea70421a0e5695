// One run of one job, from its body to the answer to its queue: the same for the worker pools on one machine and for
// Lambda's event consumer. They carry the answer out; what is answered, logged and counted is decided here.
import { z } from 'zod';
import { isProblem, type Problem, problem } from '#mail/problem.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import { type DeliverJob, type JobOf, jobSchemas } from '#pipeline/contract/jobs.ts';
import type { Clock, Handout, Log, LogFields, Metrics } from '#pipeline/contract/ports.ts';
import type { QueueName, Stage } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { givenUpJobs } from './given-up-jobs.ts';
import { defaultSchedule, expiryOf, type FailureDecision, judgeFailure } from './judge-failure.ts';

/** A stage on one of its queues. A throw is a failure; an outcome is counted, and the job is done. */
export type RunStage<Queue extends QueueName> = (
  job: JobOf<Queue>,
  handout: Handout,
) => Promise<{ readonly outcome: string; readonly isOurFault?: boolean }>;

export type StageRuns = { readonly [Queue in QueueName]: RunStage<Queue> };

/** A queue and the stage that reads it. `limitSeconds`: how long a run may take; null if the platform ends it. */
export type Lane<Queue extends QueueName> = {
  readonly queue: Queue;
  readonly stage: Stage;
  readonly run: RunStage<Queue>;
  readonly limitSeconds: number | null;
};

/** A job as its queue delivers it. */
export type HandedOut = Pick<Handout, 'receiveCount' | 'whileWaiting'> & {
  /** The job as JSON text. */
  readonly body: string;
  /** Runs in a row before this one that ended by an own fault. */
  readonly faults: number;
  /** When the job is due (ISO 8601), if the queue may deliver it before that. */
  readonly notBefore?: string | undefined;
  /** Why the job must be given up without another run; null: it may be run. */
  readonly spent: string | null;
  /** How the log names the job if its body cannot be read. */
  readonly named: LogFields;
};

/**
 * The answer to the queue. `done`; `isMended`: jobs that wait for the same own fault may go on. `again`: it failed, and that
 * counts. `later`: it comes again at `notBefore`, and this run does not count. `dead`: a dead letter; the jobs of `tell`
 * report to its sender. `unreadable`: a dead letter without a report, since the body is no job; a newer version of the stage
 * may read it.
 */
export type JobAnswer<Queue extends QueueName> =
  | { readonly answer: 'done'; readonly isMended: boolean }
  | { readonly answer: 'again'; readonly delaySeconds: number; readonly reason: string }
  | {
      readonly answer: 'later';
      readonly job: JobOf<Queue>;
      readonly notBefore: string;
      readonly faults: number;
      readonly reason: string;
    }
  | { readonly answer: 'dead'; readonly reason: string; readonly tell: readonly DeliverJob[] }
  | { readonly answer: 'unreadable'; readonly reason: string };

export type RunJobDeps = {
  readonly config: Pick<ConfigSource, 'current'>;
  /** 0 to 1. */
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Runs the job; logs what went wrong, once. Never throws. */
export async function runJob<Queue extends QueueName>(
  deps: RunJobDeps,
  lane: Lane<Queue>,
  handedOut: HandedOut,
): Promise<JobAnswer<Queue>> {
  const { log, metrics, clock } = deps;
  const labels = { stage: lane.stage.name, queue: lane.queue };
  const facts = { ...labels, receiveCount: handedOut.receiveCount, ...handedOut.named };
  const startedAt = performance.now();
  const job = readJob(lane.queue, handedOut.body);
  if (isProblem(job)) {
    log.error('job-dead', { ...facts, error: job.problem });
    metrics.count('jobs', { ...labels, outcome: 'unreadable' });
    return { answer: 'unreadable', reason: job.problem };
  }
  const { notBefore, faults, spent } = handedOut;
  if (spent === null && notBefore !== undefined && Date.parse(notBefore) > clock()) {
    metrics.count('job-hops', labels);
    return { answer: 'later', job, notBefore, faults, reason: 'it is not due yet' };
  }
  const ran = spent === null ? await runOnce(lane, job, handedOut) : { outcome: 'failed', thrown: spent };
  const isDone = !('thrown' in ran);
  const waits = isDone && ran.outcome === 'deferred' && ran.isOurFault;
  const answer = isDone
    ? { answer: 'done' as const, isMended: ran.isMended }
    : await answerFailure(deps, lane, { job, handedOut, thrown: ran.thrown, facts: { ...facts, ...aboutOf(job) } });
  metrics.measure('job-seconds', (performance.now() - startedAt) / 1_000, labels);
  metrics.count('jobs', { ...labels, outcome: answer.answer === 'later' || waits ? 'waits' : ran.outcome });
  return answer;
}

/** How the log names a job: the message, and where it goes. */
function aboutOf(job: JobOf<QueueName>): LogFields {
  return {
    id: job.id,
    ...('domain' in job ? { domain: job.domain } : {}),
    ...('hook' in job ? { hook: job.hook, key: job.key } : {}),
  };
}

function readJob<Queue extends QueueName>(queue: Queue, body: string): JobOf<Queue> | Problem {
  const schemas: { readonly [Name in QueueName]: z.ZodType<JobOf<Name>> } = jobSchemas;
  const value = parseJson(body);
  if (isProblem(value)) return problem(`not a job of queue ${queue}: ${value.problem}`);
  const read = schemas[queue].safeParse(value);
  return read.success ? read.data : problem(`not a job of queue ${queue}: ${z.prettifyError(read.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return problem('it is no JSON');
  }
}

/** `isMended`: the run was not stopped by an own fault that may have stopped others. */
type Ran =
  | { readonly outcome: string; readonly isMended: boolean; readonly isOurFault: boolean }
  | { readonly outcome: 'failed'; readonly thrown: unknown };

/** Outcomes after which the job was queued anew, or nothing was to do: they say nothing about a fault. */
const putOff: ReadonlySet<string> = new Set(['waiting', 'duplicate', 'slow-lane', 'judge-again', 'deleted']);

/** A run that takes too long failed; what it still does has no more effect than a second run. */
async function runOnce<Queue extends QueueName>(
  { run, stage, limitSeconds }: Lane<Queue>,
  job: JobOf<Queue>,
  { receiveCount, faults, whileWaiting }: HandedOut,
): Promise<Ran> {
  const handout = { receiveCount, faults, ...(whileWaiting === undefined ? {} : { whileWaiting }) };
  const late = Promise.withResolvers<never>();
  const tooLate = (): void => late.reject(new Error(`${stage.name} took longer than ${limitSeconds} s`));
  const timer = limitSeconds === null ? undefined : setTimeout(tooLate, limitSeconds * 1_000).unref();
  try {
    const { outcome, isOurFault = false } = await Promise.race([run(job, handout), late.promise]);
    return { outcome, isMended: !putOff.has(outcome) && !isOurFault, isOurFault };
  } catch (thrown) {
    return { outcome: 'failed', thrown };
  } finally {
    clearTimeout(timer);
  }
}

type Failed<Queue extends QueueName> = {
  readonly job: JobOf<Queue>;
  readonly handedOut: HandedOut;
  readonly thrown: unknown;
  readonly facts: LogFields;
};

async function answerFailure<Queue extends QueueName>(
  deps: RunJobDeps,
  lane: Lane<Queue>,
  failed: Failed<Queue>,
): Promise<JobAnswer<Queue>> {
  const { log, metrics, clock } = deps;
  const { job, handedOut, thrown, facts } = failed;
  const decided = await decide(deps, lane.stage, failed);
  const { reason } = decided;
  switch (decided.decision) {
    case 'own-fault': {
      const notBefore = new Date(decided.retryAt).toISOString();
      const faults = handedOut.faults + 1;
      log.error('own-fault', { ...facts, fault: decided.kind, reason, retryAt: notBefore, faults });
      metrics.count('own-faults', { kind: decided.kind });
      return { answer: 'later', job, notBefore, faults, reason };
    }
    case 'retry': {
      const retryAt = new Date(clock() + decided.delaySeconds * 1_000).toISOString();
      log.error('job-failed', { ...facts, ...errorFields(thrown), retryAt });
      return { answer: 'again', delaySeconds: decided.delaySeconds, reason };
    }
    case 'dead-letter':
      log.error('job-dead', { ...facts, ...errorFields(thrown) });
      return { answer: 'dead', reason, tell: givenUpJobs(lane.queue, job, { reason, nowMs: clock() }) };
  }
}

async function decide<Queue extends QueueName>(
  { config, clock, random }: RunJobDeps,
  { maxReceives, backOff }: Stage,
  { job, handedOut: { receiveCount, faults, spent }, thrown }: Failed<Queue>,
): Promise<FailureDecision> {
  if (spent !== null) return { decision: 'dead-letter', reason: spent };
  const schedule = await config.current().then(
    ({ delivery }) => delivery,
    () => defaultSchedule,
  );
  const failure = { thrown, receiveCount, faults, maxReceives, backOff, expiresAtMs: expiryOf(job, schedule) };
  return judgeFailure(failure, { now: clock(), random: random(), schedule });
}
