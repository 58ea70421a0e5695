// Which jobs of a message wait after a run that did not end well, as the log tells of them: SQS lets nobody look at a job that is not due.
import { z } from 'zod';
import { isQueueName, type QueueName } from '#pipeline/contract/stages.ts';
import type { HeldJob } from './admin.ts';

const factsSchema = z.object({
  stage: z.string(),
  id: z.string(),
  domain: z.string().default(''),
  hook: z.string().default(''),
});

const queue = z.custom<QueueName>(isQueueName);
const retryAt = z.iso.datetime();

/** By event. Every other line of a stage says that the job went on. */
const heldSchemas = {
  'own-fault': z
    .object({ queue, reason: z.string(), retryAt, faults: z.number().default(1) })
    .transform(({ faults, ...job }): HeldJob => ({ ...job, waits: 'fault', tries: faults })),
  'job-failed': z.object({ queue, error: z.string(), retryAt, receiveCount: z.number() }).transform(
    ({ error, receiveCount, ...job }): HeldJob => ({
      ...job,
      waits: 'retry',
      reason: error,
      tries: receiveCount,
    }),
  ),
  'hook-failed': z
    .object({ hook: z.string(), attempt: z.number(), reason: z.string(), next: retryAt })
    .transform(({ hook, attempt, reason, next }): HeldJob => {
      const said = `hook ${hook} failed in attempt ${attempt}: ${reason}`;
      return { queue: 'notify', waits: 'hook', reason: said, retryAt: next, tries: attempt };
    }),
} as const;

/** What a line of the log says of a job. `of`: which one, the same for all its lines; `held`: null if it does not wait. */
export type ToldJob = { readonly of: string; readonly id: string; readonly held: HeldJob | null };

/** Null if the line is about no job. */
export function toldJob(event: string, fields: unknown): ToldJob | null {
  const facts = factsSchema.safeParse(fields).data;
  if (facts === undefined) return null;
  const { stage, id, domain, hook } = facts;
  const schema = Object.entries(heldSchemas).find(([name]) => name === event)?.[1];
  return { of: `${stage} ${id} ${domain}${hook}`, id, held: schema?.safeParse(fields).data ?? null };
}

/** Where it waits, as a sentence without a full stop. `now`: milliseconds since 1970. */
export function heldPlace(job: HeldJob, now: number): string {
  const again = Date.parse(job.retryAt) <= now ? 'it is being tried again' : `tried again at ${job.retryAt}`;
  if (job.waits !== 'retry') return `on queue ${job.queue} until this is mended: ${job.reason}; ${again}`;
  const times = job.tries === 1 ? 'once' : `${job.tries} times`;
  return `on queue ${job.queue}, where it has failed ${times}, the last time with: ${job.reason.replace(/^Error: /, '')}; ${again}`;
}
