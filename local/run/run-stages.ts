// Runs the stages in this process: for each of their queues a worker pool that leases jobs, runs them (pipeline/run/run-job.ts), and
// answers the queue for them.
import type { ConfigSource } from '#pipeline/config/config.ts';
import { lanesOf, type QueueName, type Stage, type StageName, stages } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { type JobAnswer, type Lane, type RunJobDeps, runJob, type StageRuns } from '#pipeline/run/run-job.ts';
import type { JobSource, LeasedJob } from './job-source.ts';
import { createWorkerSlots, type WorkerSlot } from './worker-slots.ts';

export type RunStagesDeps = RunJobDeps & {
  readonly source: JobSource;
  readonly runs: StageRuns;
  /** Its `delivery.connectionsPerDestination` bounds the jobs of one destination that are out at once. */
  readonly config: Pick<ConfigSource, 'current'>;
  /** Asked before new jobs are taken. A promise: they are taken when it resolves. */
  readonly whenQuiet?: () => Promise<void> | undefined;
  /** The table of stages; tests pass shorter times. */
  readonly table?: Readonly<Record<StageName, Stage>>;
};

/** The running pools. */
export type RunningStages = {
  /** Takes no new jobs and waits for those under way, at most so long; the rest comes again after the next start. */
  readonly stop: (graceSeconds: number) => Promise<void>;
};

const retryLeaseMs = 1_000;
/** A delivery that takes longer may be waiting for a dead host although its group has others: the slots of hosts bound it then. */
const deliverCountsForMs = 6_000;
const retryAnswerMs = 2_000;

/** Starts one worker pool for each stage, and one for its slow lane where it has one. */
export function runStages(deps: RunStagesDeps): RunningStages {
  const lanes = Object.values(deps.table ?? stages).flatMap(lanesOf);
  const pools = lanes.map((stage) => startPool(deps, stage, stage.consumes));
  return {
    stop: async (graceSeconds) => {
      for (const pool of pools) pool.close();
      await deps.source.stop();
      await Promise.race([Promise.all(pools.map((pool) => pool.idle())), graceTimer(graceSeconds)]);
    },
  };
}

function startPool<Queue extends QueueName>(deps: RunStagesDeps, stage: Stage, queue: Queue) {
  const lane = { queue, stage, run: deps.runs[queue], limitSeconds: limitSeconds(stage) };
  const running = new Set<Promise<void>>();
  const slots = createWorkerSlots(stage);
  let isOpen = true;

  const start = (job: LeasedJob): void => {
    const slot = slots.acquire();
    const work = runOne(deps, lane, { job, slot, isOpen: () => isOpen }).finally(() => {
      running.delete(work);
      slot.release();
    });
    running.add(work);
  };
  const loop = async (): Promise<void> => {
    while (isOpen) {
      const free = slots.free();
      if (free <= 0) {
        await slots.whenReleased();
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
      slots.wake();
    },
    idle: async (): Promise<void> => {
      await looping;
      await Promise.all(running);
    },
  };
}

/** How long a run may take: what no platform limits has more time here than on AWS. */
function limitSeconds({ timeoutSeconds, localTimeoutSeconds = timeoutSeconds }: Stage): number {
  return localTimeoutSeconds;
}

/** A lease outlives the run as the visibility timeout does on AWS. */
function leaseSeconds(stage: Stage): number {
  return 6 * limitSeconds(stage);
}

/** A lease that fails is tried again: the store may be full, or closing. */
async function leaseJobs(deps: RunStagesDeps, stage: Stage, free: number): Promise<readonly LeasedJob[]> {
  const { name, consumes, connectsOut, maxWaiting, batchSize, maxReceives } = stage;
  try {
    return await deps.source.lease({
      queue: consumes,
      // Jobs that may wait are taken as workers are free: most of them need a worker for a moment only.
      max: maxWaiting > 0 ? free : Math.min(free, batchSize),
      maxPerGroup: await maxOutOf(deps, stage),
      ...(connectsOut ? { countsForMs: deliverCountsForMs } : {}),
      maxReceives,
      leaseSeconds: leaseSeconds(stage),
    });
  } catch (error) {
    deps.log.error('lease-failed', { stage: name, ...errorFields(error) });
    await new Promise((resolve) => setTimeout(resolve, retryLeaseMs));
    return [];
  }
}

/** How many jobs of a group may be out: as many as the destination has connections, or five sixths of all that may wait. */
async function maxOutOf(
  { config }: RunStagesDeps,
  { connectsOut, maxConcurrency, maxWaiting, maxPerGroup }: Stage,
): Promise<number> {
  if (connectsOut) return (await config.current()).delivery.connectionsPerDestination;
  if (maxPerGroup !== null) return maxPerGroup;
  return maxWaiting === 0 ? Number.MAX_SAFE_INTEGER : Math.ceil((5 * (maxConcurrency.local + maxWaiting)) / 6);
}

async function runOne<Queue extends QueueName>(
  deps: RunStagesDeps,
  lane: Lane<Queue>,
  { job, slot, isOpen }: { readonly job: LeasedJob; readonly slot: WorkerSlot; readonly isOpen: () => boolean },
): Promise<void> {
  const { whileWaiting } = slot;
  const answer = await runJob(deps, lane, { ...job, whileWaiting, named: { id: job.messageId } });
  const until = performance.now() + leaseSeconds(lane.stage) * 1_000;
  while (performance.now() < until) {
    try {
      return await answerQueue(deps, job, answer);
    } catch (error) {
      // On a full disk the answer is tried again, else the job would stay hidden until its lease is over. If the service ends
      // before that, the job comes again: stages are idempotent.
      deps.log.error('answer-not-kept', { id: job.messageId, stage: lane.stage.name, ...errorFields(error) });
      if (!isOpen()) return;
      await new Promise((resolve) => setTimeout(resolve, retryAnswerMs).unref());
    }
  }
}

function answerQueue({ source, clock }: RunStagesDeps, job: LeasedJob, answer: JobAnswer<QueueName>): Promise<void> {
  switch (answer.answer) {
    case 'done':
      return source.ack(job, answer);
    case 'again':
      return source.nack(job, answer);
    case 'later': {
      const delaySeconds = (Date.parse(answer.notBefore) - clock()) / 1_000;
      return source.nack(job, { delaySeconds, reason: answer.reason, isOurFault: true });
    }
    case 'dead':
    case 'unreadable':
      return source.nack(job, { ...answer, delaySeconds: null });
  }
}

function graceTimer(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000).unref());
}
