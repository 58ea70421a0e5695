// The slots of one worker pool. A job holds a worker from its start to its end, except while it waits for others (the DNS): waiting
// costs no processor, so jobs that wait long must not hold up those that would be done at once. How many may wait is bounded, too.
import type { Handout } from '#pipeline/contract/ports.ts';
import type { Stage } from '#pipeline/contract/stages.ts';

/** A job's slot in the pool. */
export type WorkerSlot = {
  readonly whileWaiting: NonNullable<Handout['whileWaiting']>;
  readonly release: () => void;
};

/** See {@link createWorkerSlots}. */
export type WorkerSlots = {
  /** How many jobs may be taken now. */
  readonly free: () => number;
  readonly acquire: () => WorkerSlot;
  /** Resolves when a slot was released after the call. */
  readonly whenReleased: () => Promise<void>;
  /** Resolves those that wait for a slot. */
  readonly wake: () => void;
};

/** An answer that is there sooner is no wait. */
const noWaitMs = 10;

/** All slots are free. Jobs whose wait is over go on at once, so there may be more at work than workers for a moment. */
export function createWorkerSlots(stage: Pick<Stage, 'maxConcurrency' | 'maxWaiting'>): WorkerSlots {
  const workers = stage.maxConcurrency.local;
  let jobs = 0;
  let waiting = 0;
  let released = Promise.withResolvers<void>();
  const wake = (): void => released.resolve();

  const acquire = (): WorkerSlot => {
    jobs += 1;
    let questions = 0;
    let isWaiting = false;
    let timer: NodeJS.Timeout | undefined;
    const wait = (): void => {
      isWaiting = true;
      waiting += 1;
      wake();
    };
    const goOn = (): void => {
      clearTimeout(timer);
      if (isWaiting) waiting -= 1;
      isWaiting = false;
    };
    return {
      whileWaiting: async (work) => {
        questions += 1;
        if (questions === 1) timer = setTimeout(wait, noWaitMs);
        try {
          return await work();
        } finally {
          questions -= 1;
          if (questions === 0) goOn();
        }
      },
      release: () => {
        jobs -= 1;
        questions = Number.POSITIVE_INFINITY; // What it still asks concerns no slot any more.
        goOn();
        wake();
      },
    };
  };
  return {
    free: () => Math.min(workers - (jobs - waiting), workers + stage.maxWaiting - jobs),
    acquire,
    whenReleased: () => {
      released = Promise.withResolvers();
      return released.promise;
    },
    wake,
  };
}
