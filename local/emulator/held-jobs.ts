// The jobs of the emulator world that wait after a run that did not end well, as the functions' log tells of them. Kept in memory, so
// after a restart they are known again when they are next tried.
import type { HeldJob, QueueCounts } from '#ops/admin.ts';
import { toldJob } from '#ops/held-jobs.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import type { LogLine } from './function-output.ts';

/** When a job is tried again it may take so long until the log says what came of it. */
const graceMs = 60_000;

type Noted = { readonly id: string; readonly job: HeldJob };

export type HeldJobs = {
  /** Takes note of a line of a function's log. */
  readonly note: (line: LogLine) => void;
  /** Those of one message. */
  readonly of: (id: string) => readonly HeldJob[];
  /** How many wait in a queue for a fault of ours, by the reason; most first. */
  readonly faultsOf: (queue: QueueName) => QueueCounts['faults'];
};

/** None is known yet. */
export function createHeldJobs(clock: () => number): HeldJobs {
  const noted = new Map<string, Noted>();
  const now = (): readonly Noted[] => {
    for (const [of, { job }] of noted) if (Date.parse(job.retryAt) + graceMs < clock()) noted.delete(of);
    return [...noted.values()];
  };
  return {
    note: ({ event, fields }) => {
      const told = toldJob(event, fields);
      if (told === null) return;
      if (told.held === null) noted.delete(told.of);
      else noted.set(told.of, { id: told.id, job: told.held });
    },
    of: (id) => now().flatMap((one) => (one.id === id ? [one.job] : [])),
    faultsOf: (queue) => {
      const byReason = Map.groupBy(
        now().flatMap(({ job }) => (job.queue === queue && job.waits === 'fault' ? [job] : [])),
        ({ reason }) => reason,
      );
      return [...byReason]
        .map(([reason, jobs]) => ({
          reason,
          jobs: jobs.length,
          retryAt: jobs.map(({ retryAt }) => retryAt).sort()[0] ?? '',
        }))
        .sort((one, other) => other.jobs - one.jobs);
    },
  };
}
