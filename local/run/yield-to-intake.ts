// Accepting mail goes before working on it: while many messages wait to become durable at once, the stages take a new
// batch only now and then. What is accepted is safe and can wait a little; a sender that waits cannot send. A burst that
// does not end is steady load: from then on the stages get their part of the machine, or what waits would only grow.
import { setTimeout as pause } from 'node:timers/promises';
import type { Intake } from '#pipeline/contract/ports.ts';

/** The intake to give to the listener, and what the stages ask before they take new jobs. */
export type YieldToIntake = {
  readonly intake: Intake;
  /** Undefined while few messages come in; else a promise that resolves when they do, or after the longest wait. */
  readonly whenQuiet: () => Promise<void> | undefined;
};

/** Messages that wait to become durable at the same moment: as many as come from some busy senders is usual. */
const usualAtOnce = 24;
/** The stages may go on when there were no more than that for so long. */
const quietMs = 30;
/** A burst has ended when there were no more than that for so long. */
const endedMs = 1_000;
/** How long a burst goes first. */
const shortBurstMs = 10_000;
/** How long a stage waits for its next batch in such a burst, and in one that goes on. */
const longestWaitMs = { short: 400, long: 10 } as const;

/** Watches an intake. Every wait is bounded, so that the stages always get on. `now`: milliseconds, never going back. */
export function yieldToIntake(intake: Intake, now: () => number = () => performance.now()): YieldToIntake {
  let committing = 0;
  let burstSince = Number.NEGATIVE_INFINITY;
  let burstAt = Number.NEGATIVE_INFINITY;

  const noteBurst = (): void => {
    const at = now();
    if (at - burstAt > endedMs) burstSince = at;
    burstAt = at;
  };
  const waitMs = (): number => longestWaitMs[now() - burstSince > shortBurstMs ? 'long' : 'short'];
  const wait = async (): Promise<void> => {
    const end = now() + waitMs();
    for (let at = now(); at - burstAt < quietMs && at < end; at = now()) {
      await pause(Math.min(quietMs - (at - burstAt), end - at));
    }
  };
  return {
    intake: {
      open: (message) => {
        const writer = intake.open(message);
        const commit: typeof writer.commit = async (job) => {
          committing += 1;
          if (committing > usualAtOnce) noteBurst();
          try {
            await writer.commit(job);
          } finally {
            committing -= 1;
          }
        };
        return { write: writer.write, commit, abort: writer.abort };
      },
    },
    whenQuiet: () => (now() - burstAt < quietMs ? wait() : undefined),
  };
}
