// Accepting mail goes before working on it: where many messages wait to become durable at once, the stages take a new
// batch only now and then. What is accepted is safe and can wait a little; a sender that waits cannot send.
import { setTimeout as pause } from 'node:timers/promises';
import type { Intake } from '#pipeline/ports.ts';

/** The intake to give to the listener, and what the stages ask before they take new jobs. */
export type FrontDoorFirst = {
  readonly intake: Intake;
  /** Undefined where the front door is quiet; else a promise that resolves when it is, or after the longest wait. */
  readonly whenQuiet: () => Promise<void> | undefined;
};

/** Messages that wait to become durable at the same moment: as many as come from some busy senders is usual. */
const usualAtOnce = 24;
/** The rush is over when there were no more than that for so long. */
const quietMs = 30;
const longestWaitMs = 100;

/** Watches an intake. Every wait is bounded, so that the stages always get on. */
export function frontDoorFirst(intake: Intake): FrontDoorFirst {
  let committing = 0;
  let rushedAt = Number.NEGATIVE_INFINITY;
  const sinceRushMs = () => performance.now() - rushedAt;

  const wait = async (): Promise<void> => {
    const end = performance.now() + longestWaitMs;
    while (sinceRushMs() < quietMs && performance.now() < end) await pause(quietMs - sinceRushMs());
  };
  return {
    intake: {
      open: (message) => {
        const writer = intake.open(message);
        const commit: typeof writer.commit = async (job) => {
          committing += 1;
          if (committing > usualAtOnce) rushedAt = performance.now();
          try {
            await writer.commit(job);
          } finally {
            committing -= 1;
          }
        };
        return { write: writer.write, commit, abort: writer.abort };
      },
    },
    whenQuiet: () => (sinceRushMs() < quietMs ? wait() : undefined),
  };
}
