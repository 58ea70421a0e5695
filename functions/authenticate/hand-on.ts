// Turns the groups of recipients into jobs and sends them: `parse` for ours, `deliver` for other hosts' domains.
import { parseAddress } from '#mail/address/address.ts';
import { srsForward, srsForwardOfNobody } from '#mail/address/srs.ts';
import type { RemoteRecipient, RoutedRecipient } from '#mail/envelope/recipient.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { deliverGroup } from '#pipeline/contract/job-groups.ts';
import type { Authentication, DeliverJob, ParseJob, ReceivedJob, SenderProof } from '#pipeline/contract/jobs.ts';
import type { Clock, JobSender, Secrets, SendOptions } from '#pipeline/contract/ports.ts';
import { reportJobs } from '#pipeline/contract/report-jobs.ts';
import { proveSender } from '#pipeline/contract/sender-proof.ts';
import type { Lane } from './judge-in-lane.ts';
import { expandedAliases, type LocalGroup, type RemoteGroup } from './split-recipients.ts';

/** All that handing on may touch. */
export type HandOnDeps = {
  readonly jobs: JobSender;
  readonly secrets: Secrets;
  readonly clock: Clock;
};

/** A judged message and who gets it how. */
export type Split = {
  readonly authentication: Authentication;
  /** Whose keys sign what goes out, or null: nobody's. */
  readonly signingDomain: string | null;
  readonly config: Config;
  /** All of them, with the forwards that are held back as mailboxes. */
  readonly recipients: readonly RoutedRecipient[];
  readonly local: readonly LocalGroup[];
  readonly remote: readonly RemoteGroup[];
  /** The lane it was judged in. */
  readonly lane: Lane;
};

type Judged = Split & { readonly sender: SenderProof };

/** One job a group. Run twice, it sends them twice: what comes out of them has fixed keys. Throws where the platform fails. */
export async function handOn(deps: HandOnDeps, job: ReceivedJob, given: Split): Promise<void> {
  const split = { ...given, sender: proveSender({ ...job, authentication: given.authentication }) };
  const srsSecret = await readSrsSecret(deps, job, split);
  await Promise.all([
    ...split.local.map((group) =>
      deps.jobs.send('parse', parseJob(job, group, split.authentication), parseOrder(split)),
    ),
    ...split.remote.map((group) => {
      const reversePath = reversePathFor(job, group, split, srsSecret);
      const delivery = deliverJob(job, group, { ...split, reversePath });
      return deps.jobs.send('deliver', delivery, { group: deliverGroup(split.config, group.domain) });
    }),
    ...expansionReports(job, split, deps.clock()).map((report) =>
      deps.jobs.send('deliver', report, { group: report.domain }),
    ),
  ]);
}

/**
 * Hundreds of messages that the DNS kept waiting are judged in the same second, when their time is up: as one group they take turns
 * with the rest.
 */
function parseOrder({ lane }: Split): SendOptions {
  return lane === 'slow' ? { group: 'slow-lane' } : {};
}

/** That an alias was expanded is reported now; what is delivered to a mailbox is reported by parse, when it is there. */
function expansionReports(
  job: ReceivedJob,
  { authentication, recipients }: Judged,
  nowMs: number,
): readonly DeliverJob[] {
  return reportJobs({ ...job, authentication }, expandedAliases(recipients), { deliveredLocally: true, nowMs });
}

/** Read only where a reverse-path must be rewritten; null where none is. */
async function readSrsSecret(deps: HandOnDeps, job: ReceivedJob, split: Judged): Promise<string | null> {
  const isNeeded = split.sender.proven && split.remote.some((group) => needsRewriting(job, group, split.config));
  return isNeeded ? deps.secrets.read(split.config.srsSecret ?? 'secret:srs') : null;
}

/** SPF of a stranger's domain does not list us: what an alias sends on gets a reverse-path of ours (SRS). */
function needsRewriting({ envelope: { reversePath } }: ReceivedJob, group: RemoteGroup, config: Config): boolean {
  if (group.forwardedBy === null || reversePath === '') return false;
  const sender = parseAddress(reversePath);
  return isProblem(sender) || !Object.hasOwn(config.domains, sender.domain);
}

/**
 * The forward of a sender who is not proven, or wants no report (RFC 3461 §4.1), goes out with a return address that leads to
 * nobody: the next host's bounce would hit somebody who wrote nothing, or does not want it.
 */
function reversePathFor(
  job: ReceivedJob,
  group: RemoteGroup,
  { config, sender }: Judged,
  srsSecret: string | null,
): string {
  const isUnwanted = group.recipients.every(({ dsn }) => dsn.notify?.includes('never') === true);
  if (group.forwardedBy !== null && job.envelope.reversePath !== '' && (!sender.proven || isUnwanted)) {
    return srsForwardOfNobody(group.forwardedBy, job.id);
  }
  if (srsSecret === null || group.forwardedBy === null || !needsRewriting(job, group, config))
    return job.envelope.reversePath;
  return srsForward(job.envelope.reversePath, group.forwardedBy, srsSecret, Date.parse(job.receivedAt));
}

function parseJob(job: ReceivedJob, group: LocalGroup, authentication: Authentication): ParseJob {
  const { attempt: _, ...message } = job;
  const envelope = { ...job.envelope, recipients: group.recipients };
  return { ...message, envelope, authentication, disposition: group.disposition };
}

type DeliveryFacts = Pick<Judged, 'config' | 'signingDomain' | 'sender'> & {
  readonly reversePath: string;
};

function deliverJob(job: ReceivedJob, group: RemoteGroup, facts: DeliveryFacts): DeliverJob {
  const expiresMs = Date.parse(job.receivedAt) + facts.config.delivery.expireSeconds * 1_000;
  return {
    ...job,
    envelope: {
      ...job.envelope,
      reversePath: facts.reversePath,
      recipients: withinQueueLimit(group.recipients),
    },
    domain: group.domain,
    signingDomain: facts.signingDomain,
    attempt: 1,
    firstAttemptAt: null,
    expiresAt: new Date(expiresMs).toISOString(),
    sender: facts.sender,
  };
}

/** A queue body holds 1 MiB; a thousand recipients with long ORCPTs would not fit, and those only colour bounces. */
function withinQueueLimit(recipients: RemoteRecipient[]): RemoteRecipient[] {
  if (Buffer.byteLength(JSON.stringify(recipients)) < 900_000) return recipients;
  return recipients.map((recipient) => ({ ...recipient, dsn: { ...recipient.dsn, orcpt: null } }));
}
