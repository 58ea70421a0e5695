// Runs the stages in this process: for each a pool that leases jobs, checks their bodies, calls the stage, and answers
// for them. What a stage throws is a fault of the platform: the job comes again later, and at last is a dead letter.
import { z } from 'zod';
import { type JobOf, jobSchemas, type QueueName } from '#pipeline/jobs.ts';
import { errorFields } from '#pipeline/log.ts';
import type { Clock, Handout, Log, Metrics } from '#pipeline/ports.ts';
import { lanesOf, type Stage, type StageName, stages } from '#pipeline/stages.ts';
import type { HandedOut, JobSource } from './job-source.ts';
import { createWorkerPlaces } from './worker-places.ts';

/** The stages to run; their outcomes are their own affair, only a throw counts here. */
export type StageFunctions = {
  readonly authenticate: (job: JobOf<'received'>, handout: Handout) => Promise<unknown>;
  /** The same for jobs of its slow lane. */
  readonly authenticateSlow: (job: JobOf<'received-slow'>, handout: Handout) => Promise<unknown>;
  readonly parse: (job: JobOf<'parse'>, handout: Handout) => Promise<unknown>;
  readonly deliver: (job: JobOf<'deliver'>, handout: Handout) => Promise<unknown>;
};

export type RunStagesDeps = {
  readonly source: JobSource;
  readonly stages: StageFunctions;
  /** How many jobs of one destination may be out at once; asked for each lease. */
  readonly maxPerDestination: () => Promise<number>;
  /** Asked before new jobs are taken: a promise means that something else goes first for a moment. */
  readonly whenQuiet?: () => Promise<void> | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The table of stages; tests pass shorter times. */
  readonly table?: Readonly<Record<StageName, Stage>>;
};

/** The running pools. */
export type RunningStages = {
  /** Takes no new jobs and waits for those under way, at most so long; the rest comes again after the next start. */
  readonly stop: (graceSeconds: number) => Promise<void>;
};

type Run = (job: HandedOut, whileWaiting: WhileWaiting) => Promise<Answer>;
type WhileWaiting = NonNullable<Handout['whileWaiting']>;
type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly thrown: unknown }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Waits after the first, second, third … failure of one job. */
const backoffSeconds = [1, 5, 30, 120];
/** A lease outlives the run by this factor, as the visibility timeout does on AWS. */
const leaseFactor = 6;
const retryLeaseMs = 1_000;
const retryAnswerMs = 2_000;

/** Starts one pool for each stage, and one for its slow lane where it has one. */
export function runStages(deps: RunStagesDeps): RunningStages {
  const table = deps.table ?? stages;
  const { authenticate, authenticateSlow, parse, deliver } = deps.stages;
  const runs: Readonly<Record<QueueName, Run>> = {
    received: checked('received', jobSchemas.received, authenticate),
    'received-slow': checked('received-slow', jobSchemas['received-slow'], authenticateSlow),
    parse: checked('parse', jobSchemas.parse, parse),
    deliver: checked('deliver', jobSchemas.deliver, deliver),
  };
  const pools = Object.values(table)
    .flatMap(lanesOf)
    .map((lane) => startPool(deps, lane, runs[lane.consumes]));
  return {
    stop: async (graceSeconds) => {
      for (const pool of pools) pool.close();
      await deps.source.stop();
      await Promise.race([Promise.all(pools.map((pool) => pool.idle())), graceTimer(graceSeconds)]);
    },
  };
}

/** A body that is not what its queue carries never gets to the stage. */
function checked<Job>(
  queue: QueueName,
  schema: z.ZodType<Job>,
  run: (job: Job, handout: Handout) => Promise<unknown>,
): Run {
  return async ({ body, receiveCount }, whileWaiting) => {
    const job = schema.safeParse(parseJson(body));
    if (!job.success)
      return { kind: 'unreadable', reason: `not a job of queue ${queue}: ${z.prettifyError(job.error)}` };
    await run(job.data, { receiveCount, whileWaiting });
    return { kind: 'done' };
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

function startPool(deps: RunStagesDeps, stage: Stage, run: Run) {
  const running = new Set<Promise<void>>();
  const places = createWorkerPlaces(stage);
  let isOpen = true;

  const start = (job: HandedOut): void => {
    const place = places.enter();
    const runHere = () => run(job, place.whileWaiting);
    const work = runOne(deps, stage, { job, run: runHere, isOpen: () => isOpen }).finally(() => {
      running.delete(work);
      place.leave();
    });
    running.add(work);
  };
  const loop = async (): Promise<void> => {
    while (isOpen) {
      const free = places.free();
      if (free <= 0) {
        await places.whenFreed();
        continue;
      }
      await deps.whenQuiet?.();
      for (const job of await leaseJobs(deps, stage, free)) start(job);
    }
  };
  const looping = loop();
  return {
    close: (): void => {
      isOpen = false;
      places.wake();
    },
    idle: async (): Promise<void> => {
      await looping;
      await Promise.all(running);
    },
  };
}

/** A lease that fails is tried again: the store may be full, or on its way out. */
async function leaseJobs(deps: RunStagesDeps, stage: Stage, free: number): Promise<readonly HandedOut[]> {
  try {
    const maxPerGroup = await maxOutOf(deps, stage);
    return await deps.source.lease({
      queue: stage.consumes,
      max: Math.min(free, stage.batchSize),
      maxPerGroup,
      maxReceives: stage.maxReceives,
      leaseSeconds: limitSeconds(stage) * leaseFactor,
    });
  } catch (error) {
    deps.log.error('lease-failed', { stage: stage.name, ...errorFields(error) });
    await new Promise((resolve) => setTimeout(resolve, retryLeaseMs));
    return [];
  }
}

/** Of deliver's jobs a destination's connections bound it; of jobs that may wait, half of all there is room for. */
async function maxOutOf(deps: RunStagesDeps, { name, maxConcurrency, maxWaiting }: Stage): Promise<number> {
  if (name === 'deliver') return deps.maxPerDestination();
  return maxWaiting === 0 ? Number.MAX_SAFE_INTEGER : Math.ceil((maxConcurrency.local + maxWaiting) / 2);
}

async function runOne(
  deps: RunStagesDeps,
  stage: Stage,
  {
    job,
    run,
    isOpen,
  }: { readonly job: HandedOut; readonly run: () => Promise<Answer>; readonly isOpen: () => boolean },
): Promise<void> {
  const startedAt = performance.now();
  const answer = await withTimeout(stage, run);
  deps.metrics.measure('stage-seconds', (performance.now() - startedAt) / 1_000, { stage: stage.name });
  deps.metrics.count('stage-runs', { stage: stage.name, outcome: answer.kind });
  const facts = { id: job.messageId, stage: stage.name, receiveCount: job.receiveCount };
  const until = performance.now() + leaseFactor * limitSeconds(stage) * 1_000;
  const tell = answerOf(deps, stage, { job, answer, facts });
  while (performance.now() < until) {
    try {
      return await tell();
    } catch (error) {
      // On a full disk the answer waits for room, else the job would stay hidden until its lease is over. When the
      // service ends before that, the job comes again: stages are made for that.
      deps.log.error('answer-not-kept', { ...facts, ...errorFields(error) });
      if (!isOpen()) return;
      await new Promise((resolve) => setTimeout(resolve, retryAnswerMs).unref());
    }
  }
}

/** Logs what went wrong, once; what it answers tells the queue. */
function answerOf(
  { source, log }: Pick<RunStagesDeps, 'source' | 'log'>,
  stage: Stage,
  run: { readonly job: HandedOut; readonly answer: Answer; readonly facts: Parameters<Log['error']>[1] },
): () => Promise<void> {
  const { job, answer, facts } = run;
  if (answer.kind === 'done') return () => source.ack(job);
  const reason = answer.kind === 'failed' ? reasonOf(answer.thrown) : answer.reason;
  const delaySeconds = answer.kind === 'failed' ? delayAfter(stage, job) : null;
  const cause = answer.kind === 'failed' ? errorFields(answer.thrown) : { error: reason };
  log.error(delaySeconds === null ? 'job-dead' : 'job-failed', { ...facts, ...cause });
  return () => source.nack(job, { delaySeconds, reason });
}

/** Null after the last hand-out: the job is a dead letter then. */
function delayAfter(stage: Stage, { receiveCount }: HandedOut): number | null {
  if (receiveCount >= stage.maxReceives) return null;
  return backoffSeconds[Math.min(receiveCount, backoffSeconds.length) - 1] ?? null;
}

/** What no platform limits has more time here than on AWS. */
function limitSeconds({ timeoutSeconds, localTimeoutSeconds = timeoutSeconds }: Stage): number {
  return localTimeoutSeconds;
}

/** As on AWS a run that takes too long counts as failed; what it still does is as harmless as a second run. */
async function withTimeout(stage: Stage, run: () => Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Answer>((resolve) => {
    const late = (): void =>
      resolve({ kind: 'failed', thrown: new Error(`${stage.name} took longer than ${limitSeconds(stage)} s`) });
    timer = setTimeout(late, limitSeconds(stage) * 1_000).unref();
  });
  try {
    return await Promise.race([run(), timeout]);
  } catch (thrown) {
    return { kind: 'failed', thrown };
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}

function graceTimer(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000).unref());
}
