// Jobs of queue `deliver` that only report: nothing is sent to another host, the sender is told what became of recipients here.
// Whatever stage finds that out, the deliver stage writes all reports: it has on record what was told, and tells it once.
import { parseAddress } from '#mail/address/address.ts';
import type { RemoteRecipient } from '#mail/envelope/recipient.ts';
import { isProblem } from '#mail/problem.ts';
import type { Authentication, DeliverJob, ParseJob, ReceivedJob } from './jobs.ts';
import { proveSender, whyNotTold } from './sender-proof.ts';

/** How long it is tried to tell. */
export const tellMs = 432_000_000;

/** What is reported: success, or that a job became a dead letter. */
export type Report = (
  | { readonly deliveredLocally: true }
  | { readonly givenUp: NonNullable<DeliverJob['givenUp']>; readonly deliveredLocally?: never }
) & { readonly nowMs: number };

/**
 * The jobs that report to the sender of a job, one a domain: a `deliveries/` object each. Each recipient once; none of what is no
 * address. None at all if the sender may not be told, or if it is success and nobody asked for it (RFC 3461 §4.1).
 */
export function reportJobs(
  job: (ReceivedJob | ParseJob) & { readonly authentication?: Authentication },
  recipients: readonly RemoteRecipient[],
  { nowMs, ...report }: Report,
): readonly DeliverJob[] {
  if (whyNotTold(job) !== null) return [];
  const groups = new Map<string, Map<string, RemoteRecipient>>();
  for (const recipient of recipients) {
    const address = parseAddress(recipient.forwardPath);
    const isWanted = report.deliveredLocally !== true || recipient.dsn.notify?.includes('success') === true;
    if (isProblem(address) || !isWanted) continue;
    const group = groups.get(address.domain) ?? new Map<string, RemoteRecipient>();
    groups.set(address.domain, group);
    if (!group.has(recipient.forwardPath)) group.set(recipient.forwardPath, recipient);
  }
  const { version, id, receivedAt, raw, envelope } = job;
  return [...groups].map(([domain, group]) => ({
    version,
    id,
    receivedAt,
    raw,
    envelope: { ...envelope, recipients: [...group.values()] },
    domain,
    signingDomain: null,
    attempt: 1,
    firstAttemptAt: null,
    expiresAt: new Date(nowMs + tellMs).toISOString(),
    sender: proveSender(job),
    ...report,
  }));
}
