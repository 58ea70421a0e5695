// Runs the stages in this process: for each a pool that leases jobs, runs them (run-job.ts), and answers for them.

import { lanesOf, type Stage, type StageName, stages } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import type { HandedOut, JobSource } from './job-source.ts';
import { limitSeconds, type ReadTask, type RunJobDeps, runJob, type StageFunctions, taskReaders } from './run-job.ts';
import { createWorkerPlaces } from './worker-places.ts';

export type RunStagesDeps = RunJobDeps & {
  readonly source: JobSource;
  readonly stages: StageFunctions;
  /** How many jobs of one destination may be out at once; asked for each lease. */
  readonly maxPerDestination: () => Promise<number>;
  /** Asked before new jobs are taken: a promise means that something else goes first for a moment. */
  readonly whenQuiet?: () => Promise<void> | undefined;
  /** The table of stages; tests pass shorter times. */
  readonly table?: Readonly<Record<StageName, Stage>>;
};

/** The running pools. */
export type RunningStages = {
  /** Takes no new jobs and waits for those under way, at most so long; the rest comes again after the next start. */
  readonly stop: (graceSeconds: number) => Promise<void>;
};

/** A lease outlives the run by this factor, as the visibility timeout does on AWS. */
const leaseFactor = 6;
const retryLeaseMs = 1_000;
/** A delivery that takes longer may be with a dead host while its group has others: the slots of hosts bound it, not its group. */
const deliverCountsForMs = 6_000;
const retryAnswerMs = 2_000;

/** Starts one pool for each stage, and one for its slow lane where it has one. */
export function runStages(deps: RunStagesDeps): RunningStages {
  const table = deps.table ?? stages;
  const readers = taskReaders(deps.stages);
  const pools = Object.values(table)
    .flatMap(lanesOf)
    .map((lane) => startPool(deps, lane, readers[lane.consumes]));
  return {
    stop: async (graceSeconds) => {
      for (const pool of pools) pool.close();
      await deps.source.stop();
      await Promise.race([Promise.all(pools.map((pool) => pool.idle())), graceTimer(graceSeconds)]);
    },
  };
}

function startPool(deps: RunStagesDeps, stage: Stage, readTask: ReadTask) {
  const running = new Set<Promise<void>>();
  const places = createWorkerPlaces(stage);
  let isOpen = true;

  const start = (job: HandedOut): void => {
    const place = places.enter();
    const { whileWaiting } = place;
    const work = runOne(deps, stage, { job, readTask, whileWaiting, isOpen: () => isOpen }).finally(() => {
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
      // Jobs that may wait are let in as workers are free: most of them are at work for a moment only.
      max: stage.maxWaiting > 0 ? free : Math.min(free, stage.batchSize),
      maxPerGroup,
      ...(stage.name === 'deliver' ? { countsForMs: deliverCountsForMs } : {}),
      maxReceives: stage.maxReceives,
      leaseSeconds: limitSeconds(stage) * leaseFactor,
    });
  } catch (error) {
    deps.log.error('lease-failed', { stage: stage.name, ...errorFields(error) });
    await new Promise((resolve) => setTimeout(resolve, retryLeaseMs));
    return [];
  }
}

/** Of deliver's jobs a destination's connections bound it; of jobs that may wait, five sixths of all there is room for. */
async function maxOutOf(deps: RunStagesDeps, { name, maxConcurrency, maxWaiting }: Stage): Promise<number> {
  if (name === 'deliver') return deps.maxPerDestination();
  return maxWaiting === 0 ? Number.MAX_SAFE_INTEGER : Math.ceil((5 * (maxConcurrency.local + maxWaiting)) / 6);
}

async function runOne(
  deps: RunStagesDeps,
  stage: Stage,
  { isOpen, ...given }: Parameters<typeof runJob>[2] & { readonly isOpen: () => boolean },
): Promise<void> {
  const { job } = given;
  const tell = await runJob(deps, stage, given);
  const until = performance.now() + leaseFactor * limitSeconds(stage) * 1_000;
  while (performance.now() < until) {
    try {
      return await tell();
    } catch (error) {
      // On a full disk the answer waits for room, else the job would stay hidden until its lease is over. When the
      // service ends before that, the job comes again: stages are made for that.
      deps.log.error('answer-not-kept', { id: job.messageId, stage: stage.name, ...errorFields(error) });
      if (!isOpen()) return;
      await new Promise((resolve) => setTimeout(resolve, retryAnswerMs).unref());
    }
  }
}

function graceTimer(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000).unref());
}
