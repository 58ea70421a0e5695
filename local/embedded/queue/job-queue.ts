// The queues over the database thread: jobs go in durably, and come out to the worker pools.

import type { Client } from '#local/embedded/client.ts';
import type { NewJob } from '#local/embedded/requests.ts';
import type { JobSource, LeasedJob } from '#local/run/job-source.ts';
import { type JobOf, jobSchemas } from '#pipeline/contract/jobs.ts';
import type { Clock, JobSender } from '#pipeline/contract/ports.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

/** The way in: every job is checked against its queue's schema, then durable when the promise resolves. */
export function createJobSender(client: Client, clock: Clock): JobSender {
  return {
    send: async (queue, job, { notBefore, group = '' } = {}) => {
      const due = notBefore === undefined ? clock() : Math.max(clock(), Date.parse(notBefore));
      await client.ask({ kind: 'send', job: newJob(queue, job, { due, group }) });
    },
  };
}

function newJob<Queue extends QueueName>(
  queue: Queue,
  job: JobOf<Queue>,
  { due, group }: { readonly due: number; readonly group: string },
): NewJob {
  const checked = jobSchemas[queue].parse(job);
  return { queue, body: JSON.stringify(checked), messageId: checked.id, group, due };
}

/** The way out. Answers that come in the same turn go into one transaction. */
export function createJobSource(client: Client, clock: Clock): JobSource {
  return {
    lease: (terms) => client.ask({ kind: 'lease', ...terms }),
    ack: async ({ handle }: LeasedJob, { isMended } = { isMended: false }) => {
      await client.ask({ kind: 'ack', handles: [handle], isMended });
    },
    nack: async ({ handle, receiveCount }, { delaySeconds, reason, isOurFault = false, tell = [] }) => {
      const retryAt = delaySeconds === null ? null : Math.round(clock() + delaySeconds * 1_000);
      const told = tell.map((job) => newJob('deliver', job, { due: clock(), group: job.domain }));
      await client.ask({ kind: 'nack', handle, receiveCount, retryAt, reason, isOurFault, tell: told });
    },
    stop: async () => {
      await client.ask({ kind: 'stopLeases' });
    },
  };
}
