// A queue that only remembers what was sent to it.
import { type JobOf, jobSchemas } from '#pipeline/contract/jobs.ts';
import type { JobSender, SendOptions } from '#pipeline/contract/ports.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

export type SentJob = {
  readonly [Queue in QueueName]: { readonly queue: Queue; readonly job: JobOf<Queue>; readonly options: SendOptions };
}[QueueName];

export type MemoryJobs = JobSender & {
  readonly sent: SentJob[];
  /** The jobs sent to one queue. */
  readonly of: <Queue extends QueueName>(queue: Queue) => readonly JobOf<Queue>[];
  /** While set, `send` throws it. */
  fail: Error | null;
};

/** Every job is checked against its schema on the way in, as real queues do. */
export function createMemoryJobs(): MemoryJobs {
  const sent: SentJob[] = [];
  const jobs: MemoryJobs = {
    sent,
    fail: null,
    of: (queue) => sent.filter((entry) => entry.queue === queue).map(({ job }) => job) as never,
    send: async (queue, job, options = {}) => {
      if (jobs.fail !== null) throw jobs.fail;
      const checked = jobSchemas[queue].parse(structuredClone(job));
      sent.push({ queue, job: checked, options } as SentJob);
    },
  };
  return jobs;
}
