// Runs the stages in this process: for each a pool that leases jobs, runs them (run-job.ts), and answers for them.
import { errorFields } from '#pipeline/log.ts';
import { type Stage, type StageName, stages } from '#pipeline/stages.ts';
import type { HandedOut, JobSource } from './job-source.ts';
import { type ReadTask, type RunJobDeps, runJob, type StageFunctions, taskReaders } from './run-job.ts';

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
const retryAnswerMs = 2_000;

/** Starts one pool for each stage. */
export function runStages(deps: RunStagesDeps): RunningStages {
  const table = deps.table ?? stages;
  const readers = taskReaders(deps.stages);
  const pools = Object.values(table).map((stage) => startPool(deps, stage, readers[stage.name]));
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
  let isOpen = true;
  let freed = Promise.withResolvers<void>();

  const start = (job: HandedOut): void => {
    const work = runOne(deps, stage, { job, readTask, isOpen: () => isOpen }).finally(() => {
      running.delete(work);
      freed.resolve();
    });
    running.add(work);
  };
  const loop = async (): Promise<void> => {
    while (isOpen) {
      const free = stage.maxConcurrency.local - running.size;
      if (free <= 0) {
        freed = Promise.withResolvers();
        await freed.promise;
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
      freed.resolve();
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
    const maxPerGroup = stage.name === 'deliver' ? await deps.maxPerDestination() : Number.MAX_SAFE_INTEGER;
    return await deps.source.lease({
      queue: stage.consumes,
      max: Math.min(free, stage.batchSize),
      maxPerGroup,
      maxReceives: stage.maxReceives,
      leaseSeconds: stage.timeoutSeconds * leaseFactor,
    });
  } catch (error) {
    deps.log.error('lease-failed', { stage: stage.name, ...errorFields(error) });
    await new Promise((resolve) => setTimeout(resolve, retryLeaseMs));
    return [];
  }
}

async function runOne(
  deps: RunStagesDeps,
  stage: Stage,
  { job, readTask, isOpen }: { readonly job: HandedOut; readonly readTask: ReadTask; readonly isOpen: () => boolean },
): Promise<void> {
  const tell = await runJob(deps, stage, { job, readTask });
  const until = performance.now() + leaseFactor * stage.timeoutSeconds * 1_000;
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
