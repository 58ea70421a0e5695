// Jobs of queue `deliver` that only report to the sender what became of recipients here; nothing is sent to another host.
// The deliver stage writes all reports, whichever stage asks for one: it records each, and so writes it once.
import { parseAddress } from '#mail/address/address.ts';
import type { RemoteRecipient } from '#mail/envelope/recipient.ts';
import { isProblem } from '#mail/problem.ts';
import type { Authentication, DeliverJob, ParseJob, ReceivedJob } from './jobs.ts';
import { proveSender, whyNotTold } from './sender-proof.ts';

/** How long such a job is tried. */
export const tellMs = 432_000_000;

/** What is reported: success, or that a job became a dead letter. */
export type Report = (
  | { readonly deliveredLocally: true }
  | { readonly givenUp: NonNullable<DeliverJob['givenUp']>; readonly deliveredLocally?: never }
) & { readonly nowMs: number };

/**
 * The jobs that report to the sender of a job, one for each domain (a `deliveries/` object each), with each valid recipient
 * once. None if the sender must not get a report, or if it is success and nobody asked for it (RFC 3461 §4.1).
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
  const message = { version, id, receivedAt, raw };
  return [...groups].map(([domain, group]) => ({
    ...message,
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
