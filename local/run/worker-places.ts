// The workers of one pool. A job holds one from its start to its end, save while it waits for others (the DNS): waiting costs no
// processor, so some jobs that wait long must not hold up those that would be done at once. How many may wait is bounded, too.
import type { Handout } from '#pipeline/contract/ports.ts';
import type { Stage } from '#pipeline/contract/stages.ts';

/** A job's place in the pool. */
export type WorkerPlace = {
  readonly whileWaiting: NonNullable<Handout['whileWaiting']>;
  readonly leave: () => void;
};

/** See {@link createWorkerPlaces}. */
export type WorkerPlaces = {
  /** How many jobs may be taken now. */
  readonly free: () => number;
  readonly enter: () => WorkerPlace;
  /** Resolves when a place has become free since it was asked for. */
  readonly whenFreed: () => Promise<void>;
  /** Resolves those that wait for a place. */
  readonly wake: () => void;
};

/** An answer that is there sooner is no wait. */
const noWaitMs = 10;

/** Nobody works yet. Jobs whose wait is over go on at once, so there may be more at work than workers for a moment. */
export function createWorkerPlaces(stage: Pick<Stage, 'maxConcurrency' | 'maxWaiting'>): WorkerPlaces {
  const workers = stage.maxConcurrency.local;
  let jobs = 0;
  let waiting = 0;
  let freed = Promise.withResolvers<void>();
  const wake = (): void => freed.resolve();

  const enter = (): WorkerPlace => {
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
      leave: () => {
        jobs -= 1;
        questions = Number.POSITIVE_INFINITY; // What it still asks is nobody's place any more.
        goOn();
        wake();
      },
    };
  };
  return {
    free: () => Math.min(workers - (jobs - waiting), workers + stage.maxWaiting - jobs),
    enter,
    whenFreed: () => {
      freed = Promise.withResolvers();
      return freed.promise;
    },
    wake,
  };
}
