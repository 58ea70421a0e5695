// The jobs of the emulator world that wait for a fault of ours, or for a hook that failed, as the functions' log tells of them: SQS lets nobody look at a message
// that is not due. Kept in memory, so after a restart they are known again when they are next tried.
import { z } from 'zod';
import type { HeldJob, QueueCounts } from '#ops/admin.ts';
import { isQueueName, type QueueName } from '#pipeline/contract/stages.ts';
import type { LogLine } from './function-output.ts';

/** When a job is tried again it may take so long until the log says what came of it. */
const graceMs = 60_000;

const factsSchema = z.object({
  stage: z.string(),
  id: z.string(),
  domain: z.string().default(''),
  hook: z.string().default(''),
});
const heldSchema = z.object({ queue: z.custom<QueueName>(isQueueName), reason: z.string(), retryAt: z.iso.datetime() });

const hookFailedSchema = z
  .object({ hook: z.string(), attempt: z.number(), reason: z.string(), next: z.iso.datetime() })
  .transform(({ hook, attempt, reason, next }) => {
    return { queue: 'notify' as const, reason: `hook ${hook} failed in attempt ${attempt}: ${reason}`, retryAt: next };
  });

type Noted = HeldJob & { readonly id: string; readonly isOurFault: boolean };

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
  const held = new Map<string, Noted>();
  const now = (): readonly Noted[] => {
    for (const [key, { retryAt }] of held) if (Date.parse(retryAt) + graceMs < clock()) held.delete(key);
    return [...held.values()];
  };
  return {
    note: ({ event, fields }) => {
      const facts = factsSchema.safeParse(fields).data;
      if (facts === undefined) return;
      const key = `${facts.stage} ${facts.id} ${facts.domain}${facts.hook}`;
      const isOurFault = event === 'own-fault';
      const schema = isOurFault ? heldSchema : hookFailedSchema;
      const job = isOurFault || event === 'hook-failed' ? schema.safeParse(fields).data : undefined;
      if (job === undefined) held.delete(key);
      else held.set(key, { ...job, id: facts.id, isOurFault });
    },
    of: (id) => now().flatMap((job) => (job.id === id ? [job] : [])),
    faultsOf: (queue) => {
      const byReason = Map.groupBy(
        now().filter((job) => job.queue === queue && job.isOurFault),
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
