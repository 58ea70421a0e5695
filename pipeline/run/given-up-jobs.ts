// The report of a dead letter to its sender. The deliver stage writes it, whichever queue the job was on.
import type { DeliverJob, JobOf } from '#pipeline/contract/jobs.ts';
import { reportJobs, tellMs } from '#pipeline/contract/report-jobs.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

const maxReasonChars = 1_000;

/** The jobs of queue `deliver` that report to the sender, one for each domain; none if no report may be sent. */
export function givenUpJobs(
  queue: QueueName,
  job: JobOf<QueueName>,
  { reason, nowMs }: { readonly reason: string; readonly nowMs: number },
): readonly DeliverJob[] {
  if ('hook' in job) return []; // the message is stored: its sender has nothing to hear
  const givenUp = { queue, reason: reason.slice(0, maxReasonChars) };
  if ('expiresAt' in job) {
    // A job that is itself a report has nothing to deliver: the failure of a report is not reported.
    if (job.deliveredLocally === true || job.givenUp !== undefined) return [];
    return [{ ...job, givenUp, expiresAt: new Date(nowMs + tellMs).toISOString() }];
  }
  const recipients = job.envelope.recipients.map(({ forwardPath, dsn }) => {
    return { forwardPath, dsn, originalForwardPath: null };
  });
  return reportJobs(job, recipients, { givenUp, nowMs });
}
