// What a dead letter owes: its sender is told. Whatever stage it died in, the deliver stage does that, as it writes all reports:
// it gets a job that says what was given up. Pure; the same for the runner on one machine and for Lambda's event consumer.
import { parseAddress } from '#mail/address/address.ts';
import type { RemoteRecipient } from '#mail/envelope/envelope.ts';
import { isProblem } from '#mail/problem.ts';
import type { DeliverJob, ParseJob, ReceivedJob } from '#pipeline/contract/jobs.ts';
import { proveSender, whyNotTold } from '#pipeline/contract/sender-proof.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';

type Told = { readonly reason: string; readonly nowMs: number };

/** How long it is tried to tell. */
const tellMs = 432_000_000;
const maxReasonChars = 1_000;

/** The jobs of queue `deliver` that tell the sender of a dead letter, one a domain; none where nobody may be told. */
export function givenUpJobs(
  queue: QueueName,
  job: ReceivedJob | ParseJob | DeliverJob,
  { reason, nowMs }: Told,
): readonly DeliverJob[] {
  const givenUp = { queue, reason: reason.slice(0, maxReasonChars) };
  const told = { givenUp, expiresAt: new Date(nowMs + tellMs).toISOString() };
  if (!('expiresAt' in job)) return whyNotTold(job) === null ? byDomain(job).map((one) => ({ ...one, ...told })) : [];
  // One that only reports has nothing to deliver, and to tell of a failure to tell leads nowhere.
  return job.landed === true || job.givenUp !== undefined ? [] : [{ ...job, ...told }];
}

/** The recipients as the sender wrote them, each once, in groups of one domain: a `deliveries/` object each. */
function byDomain(job: ReceivedJob | ParseJob): readonly DeliverJob[] {
  const groups = new Map<string, Map<string, RemoteRecipient>>();
  for (const { forwardPath, dsn } of job.envelope.recipients) {
    const address = parseAddress(forwardPath);
    if (isProblem(address)) continue;
    const group = groups.get(address.domain) ?? new Map();
    groups.set(address.domain, group);
    group.set(forwardPath, { forwardPath, dsn, originalForwardPath: null });
  }
  const { version, id, receivedAt, raw, envelope } = job;
  return [...groups].map(([domain, recipients]) => ({
    version,
    id,
    receivedAt,
    raw,
    envelope: { ...envelope, recipients: [...recipients.values()] },
    domain,
    signingDomain: null,
    attempt: 1,
    firstAttemptAt: null,
    notBefore: receivedAt,
    expiresAt: receivedAt,
    sender: proveSender(job),
  }));
}
