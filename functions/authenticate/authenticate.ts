// Stage 1: says who really sent a message, decides what becomes of it, and hands each recipient on (design §2, §7).
// It reads the message and the DNS, and writes jobs, and the verdict if a second run might judge differently.

import { judgeMessage, notJudged } from '#functions/authenticate/judge/judge-message.ts';
import { type OpenMessage, openMessage } from '#functions/authenticate/judge/open-message.ts';
import { authorsOf } from '#mail/address/authors.ts';
import type { Config } from '#pipeline/config/config.ts';
import { findSigningDomain } from '#pipeline/config/signing-domain.ts';
import { receivedGroup } from '#pipeline/contract/job-groups.ts';
import type { Authentication, Disposition, ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { Handout, Resolve } from '#pipeline/contract/ports.ts';
import { agreeOnVerdict } from './agree-on-verdict.ts';
import type { AuthenticateDeps } from './authenticate-deps.ts';
import { decideDisposition, whyJudgeAgain } from './decide-disposition.ts';
import { handOn, type Split } from './hand-on.ts';
import { holdForwards } from './hold-forwards.ts';
import { judgeInLane, type LaneJudgement } from './judge-in-lane.ts';
import { groupLocal, groupRemote } from './split-recipients.ts';
import { waitForDns } from './wait-for-dns.ts';
import { whyNotJudged } from './why-not-judged.ts';

/**
 * `slow-lane`: the DNS keeps it waiting, it is judged in the slow lane. `judge-again`: the DNS did not answer, the message is
 * judged anew at `notBefore`. `handed-on`: every recipient has its job. Each time the jobs are durable.
 */
export type AuthenticateOutcome =
  | { readonly outcome: 'slow-lane' }
  | { readonly outcome: 'judge-again'; readonly notBefore: string; readonly reason: string }
  | {
      readonly outcome: 'handed-on';
      readonly authentication: Authentication;
      readonly parseJobs: number;
      readonly deliverJobs: number;
    };

/** Runs the stage for one message. Throws where the platform fails, our DNS included; nothing in a message makes it throw. */
export async function authenticate(
  deps: AuthenticateDeps,
  job: ReceivedJob,
  handout: Handout,
): Promise<AuthenticateOutcome> {
  const config = await deps.config.current();
  const judgement = { config, handout, startedAt: deps.clock(), dnsProblem: deps.dnsProblem };
  const isWaiting = (handout.faults ?? 0) > 0 && whyNotJudged(job.envelope.session, config) === null;
  if (isWaiting) await waitForDns(job, judgement);
  const judged = await gatherAndJudge(deps, job, { config, handout });
  if (judged.outcome === 'too-slow') return sendToSlowLane(deps, job);
  if (whyJudgeAgain(judged.authentication) !== null) await waitForDns(job, judgement);
  const again = judgeAgain(deps, job, { config, authentication: judged.authentication });
  if (again !== null) {
    const { notBefore } = again;
    const next = { ...job, attempt: job.attempt + 1 };
    await deps.jobs.send('received', next, { notBefore, group: receivedGroup(job) });
    deps.log.info('judged-again-later', { id: job.id, attempt: job.attempt, ...again });
    deps.metrics.count('messages-judged-again');
    return { outcome: 'judge-again', ...again };
  }
  if (judged.isProvisional) return sendToSlowLane(deps, job);
  const found = split(job, config, judged.authentication);
  const quarantines = found.local.some(({ disposition }) => disposition.action === 'quarantine');
  const { receiveCount } = handout;
  const authentication = await agreeOnVerdict(deps, job, { ...judged, quarantines, receiveCount });
  const agreed = authentication === judged.authentication ? found : split(job, config, authentication);
  await handOn(deps, job, { config, ...judged, authentication, ...agreed, lane: deps.lane });
  const { local, remote } = agreed;
  report(deps, { job, handout, authentication, local, remote });
  return { outcome: 'handed-on', authentication, parseJobs: local.length, deliverJobs: remote.length };
}

/** Who gets the message how, by this verdict. */
function split(
  { envelope }: ReceivedJob,
  config: Config,
  authentication: Authentication,
): Pick<Split, 'recipients' | 'local' | 'remote'> {
  const dispositionFor = (domain: string): Disposition => decideFor(config, domain, authentication);
  const recipients = holdForwards(envelope.recipients, dispositionFor);
  return { recipients, local: groupLocal(recipients, dispositionFor), remote: groupRemote(recipients) };
}

/** A place in the slow lane, as durable as the one it had: its judgement has not begun, so far as anybody can tell. */
async function sendToSlowLane(deps: AuthenticateDeps, job: ReceivedJob): Promise<AuthenticateOutcome> {
  await deps.jobs.send('received-slow', job, { group: receivedGroup(job) });
  deps.log.info('sent-to-slow-lane', { id: job.id, attempt: job.attempt });
  deps.metrics.count('messages-to-slow-lane');
  return { outcome: 'slow-lane' };
}

type Judged =
  | (Extract<LaneJudgement, { outcome: 'judged' }> & {
      /** Whose keys sign what goes out, or null: strangers' mail keeps its own signatures. */
      readonly signingDomain: string | null;
    })
  | { readonly outcome: 'too-slow' };

/** Strangers' mail is judged; our own is only asked who will sign it, where it goes out and there are keys. */
async function gatherAndJudge(
  deps: AuthenticateDeps,
  job: ReceivedJob,
  { config, handout }: { readonly config: Config; readonly handout: Handout },
): Promise<Judged> {
  const reason = whyNotJudged(job.envelope.session, config);
  if (reason === null) {
    const { hostname, dns } = config;
    const judge = (resolve: Resolve): Promise<Authentication> =>
      withMessage(deps, job, (message) => judgeMessage(job, message, { resolve, hostname }));
    const { timeoutSeconds } = dns;
    const judged = await judgeInLane(job, { ...deps, timeoutSeconds, whileWaiting: handout.whileWaiting, judge });
    return judged.outcome === 'judged' ? { ...judged, signingDomain: null } : judged;
  }
  const authentication = notJudged(reason, config.hostname);
  const settled = { outcome: 'judged', authentication, isProvisional: false } as const;
  const isSigned = Object.values(config.domains).some(({ dkim }) => dkim.length > 0);
  const goesOut = job.envelope.recipients.some(({ route }) => route.kind !== 'mailbox');
  if (!isSubmitted(job) || !isSigned || !goesOut) return { ...settled, signingDomain: null };
  const signingDomain = await withMessage(deps, job, async ({ header }) => {
    const authorDomains = authorsOf(header).domains;
    return findSigningDomain({ authorDomains, reversePath: job.envelope.reversePath }, config.domains);
  });
  return { ...settled, signingDomain };
}

function isSubmitted({ envelope: { session } }: ReceivedJob): boolean {
  return session.role !== 'mx';
}

async function withMessage<Found>(
  { store }: Pick<AuthenticateDeps, 'store'>,
  job: ReceivedJob,
  use: (message: OpenMessage) => Promise<Found>,
): Promise<Found> {
  const message = await openMessage(store, job.raw.key);
  try {
    return await use(message);
  } finally {
    await message.close();
  }
}

/** When and why to judge anew; null where the verdict stands, as it does after the last wait. */
function judgeAgain(
  { clock }: Pick<AuthenticateDeps, 'clock'>,
  job: ReceivedJob,
  { config, authentication }: { readonly config: Config; readonly authentication: Authentication },
): { readonly notBefore: string; readonly reason: string } | null {
  const waitSeconds = config.dns.temperrorRetrySeconds[job.attempt - 1];
  const reason = whyJudgeAgain(authentication);
  if (waitSeconds === undefined || reason === null) return null;
  return { notBefore: new Date(clock() + waitSeconds * 1_000).toISOString(), reason };
}

function decideFor(config: Config, domain: string, authentication: Authentication): Disposition {
  const ours = new Map(Object.entries(config.domains)).get(domain);
  return decideDisposition(authentication, ours?.onDmarcFail ?? 'quarantine');
}

type Report = Pick<Split, 'authentication' | 'local' | 'remote'> & {
  readonly job: ReceivedJob;
  readonly handout: Handout;
};

function report(deps: AuthenticateDeps, { job, handout, authentication, local, remote }: Report): void {
  const { spf, dkim, dmarc, arc } = authentication;
  const best = dkim.find(({ result }) => result === 'pass') ?? dkim[0];
  const isQuarantined = local.some(({ disposition }) => disposition.action === 'quarantine');
  const verdicts = { spf: spf.result, dkim: best?.result ?? 'none', dmarc: dmarc.result, arc: arc.result };
  deps.log.info('message-judged', {
    id: job.id,
    ...verdicts,
    quarantined: isQuarantined,
    // Lines for each message are paid for by length: what is as usual is left out.
    parseJobs: local.length || undefined,
    deliverJobs: remote.length || undefined,
    receiveCount: handout.receiveCount > 1 ? handout.receiveCount : undefined,
  });
  deps.metrics.count('messages-judged', { dmarc: dmarc.result, action: isQuarantined ? 'quarantine' : 'accept' });
}
