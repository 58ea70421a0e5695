// How many jobs of an invocation are running: what one of them sends waits a moment for what the others may still send.

export type JobsUnderWay = {
  /** Counts a run from its beginning to its end. */
  readonly during: <Result>(run: () => Promise<Result>) => Promise<Result>;
  readonly count: () => number;
};

/** One for a process: Lambda gives a sandbox one invocation at a time. */
export function createJobsUnderWay(): JobsUnderWay {
  let running = 0;
  return {
    during: async (run) => {
      running += 1;
      try {
        return await run();
      } finally {
        running -= 1;
      }
    },
    count: () => running,
  };
}
