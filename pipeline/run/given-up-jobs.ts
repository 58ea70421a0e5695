// The report of a dead letter to its sender. Whatever queue the job was of, the deliver stage writes the report, as it writes all: it
// gets a job that says what was given up. Pure.
import type { DeliverJob, ParseJob, ReceivedJob } from '#pipeline/contract/jobs.ts';
import { reportJobs, tellMs } from '#pipeline/contract/report-jobs.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

type Told = { readonly reason: string; readonly nowMs: number };

const maxReasonChars = 1_000;

/** The jobs of queue `deliver` that tell the sender of a dead letter, one a domain; none if nobody may be told. */
export function givenUpJobs(
  queue: QueueName,
  job: ReceivedJob | ParseJob | DeliverJob,
  { reason, nowMs }: Told,
): readonly DeliverJob[] {
  const givenUp = { queue, reason: reason.slice(0, maxReasonChars) };
  if ('expiresAt' in job) {
    // A job that is itself a report has nothing to deliver: the failure of a report is not reported.
    if (job.deliveredLocally === true || job.givenUp !== undefined) return [];
    return [{ ...job, givenUp, expiresAt: new Date(nowMs + tellMs).toISOString() }];
  }
  const recipients = job.envelope.recipients.map(({ forwardPath, dsn }) => ({
    forwardPath,
    dsn,
    originalForwardPath: null,
  }));
  return reportJobs(job, recipients, { givenUp, nowMs });
}
