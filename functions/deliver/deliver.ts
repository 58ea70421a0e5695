// The deliver stage: one attempt to bring one message to one domain (RFC 5321 §4.5.4). Finds a host that may be asked, claims the
// attempt, talks to the domain's hosts, records what came of it, then does what follows: tries again later, tells the
// sender, keeps an address in mind that does not exist. Run twice for one job, it sends once.

import { destinationOf, publishFailure, recordVerdict, shownBackOff } from '#functions/deliver/destination/back-off.ts';
import { judgeDestination } from '#functions/deliver/destination/judge-destination.ts';
import { isPortBlocked, sightOf, watchPort } from '#functions/deliver/destination/port25.ts';
import { findWay, type NoPlace, type Way } from '#functions/deliver/hosts/acquire-host.ts';
import type { FetchPolicy } from '#functions/deliver/hosts/fetch-policy.ts';
import { prepareOutgoingMessage } from '#functions/deliver/message/outgoing-message.ts';
import { giveUp } from '#functions/deliver/outcome/give-up.ts';
import { judgeAttempt } from '#functions/deliver/outcome/judge-attempt.ts';
import { noteOwnFault } from '#functions/deliver/outcome/note-own-fault.ts';
import { recordOutcome } from '#functions/deliver/outcome/record-outcome.ts';
import { settleDelivery } from '#functions/deliver/outcome/settle-delivery.ts';
import type { ConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { attemptTime, leaseSeconds, type RunEnd, usualFinalReplyMs } from '#functions/deliver/smtp/timeouts.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import type {
  Clock,
  ConfigSource,
  Handout,
  Intake,
  JobSender,
  Log,
  Metrics,
  ObjectStore,
  Resolve,
  Secrets,
} from '#pipeline/contract/ports.ts';
import { type DeliveryState, pendingJob } from '#pipeline/contract/records/delivery.ts';
import type { AcceptedCounts } from '#pipeline/contract/records/refusals.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import { type AttemptFacts, attemptDelivery, nothing } from './attempt-delivery.ts';
import { claimAttempt, readState, type StoredState } from './claim-attempt.ts';
import { type Waiting, wait, waitForDestination, waitForOther, waitForSlot } from './requeue.ts';
import type { WorkerMemory } from './worker-memory.ts';

export type DeliverDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'put' | 'delete'>;
  readonly jobs: JobSender;
  readonly intake: Intake;
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  readonly resolve: Resolve;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly newMessageId: (nowMs: number) => MessageId;
  readonly memory: WorkerMemory;
  readonly connections: ConnectionPool;
  readonly fetchPolicy: FetchPolicy;
  /** How long the answer to a whole message is waited for at least. */
  readonly finalReplyMs?: number;
  readonly accepted: AcceptedCounts;
  /** 0 to 1. */
  readonly random: () => number;
  /** True where no other process delivers from this store: what a killed process was at is then taken up at once. */
  readonly soleWorker?: boolean;
  /** What is wrong with our own DNS, where it answers nothing at all; null where only a domain's does not. */
  readonly dnsProblem?: () => Promise<string | null>;
  /** Where a run is ended from outside, when. */
  readonly runEndsAt?: RunEnd;
};

/**
 * What came of a job. `delivered`, `bounced`, `partial` (some of each): all is done. `deferred`: the rest is tried again at
 * `retryAt`. `isOurFault`: no host was asked, for a fault of ours that is still there. `waiting`: no attempt was made; the job is back on the queue. `duplicate`: there was nothing to do.
 */
export type DeliverOutcome =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'partial' | 'bounced'; readonly reason: string; readonly isOurFault?: boolean }
  | { readonly outcome: 'deferred'; readonly retryAt: string; readonly reason: string; readonly isOurFault?: boolean }
  | Waiting
  | { readonly outcome: 'duplicate' };

/** Runs the stage for one job. Throws where the platform fails: the queue hands the job out again. */
export async function deliver(deps: DeliverDeps, job: DeliverJob, handout: Handout): Promise<DeliverOutcome> {
  const config = await deps.config.current();
  if (job.givenUp !== undefined) return giveUp(deps, config, { job, givenUp: job.givenUp });
  if (Date.parse(job.notBefore) > deps.clock() + 1_000)
    return wait(deps, job, { until: job.notBefore, reason: 'not due yet', group: job.domain });
  const task = { config, job, handout, group: job.domain };
  if (job.landed === true) return attempt(deps, { ...task, way: { outcome: 'landed' } });
  if (deps.memory.underWay.has(deliveryKey(job))) return waitForOther(deps, job);
  const way = await findWay(deps, config, job);
  switch (way.outcome) {
    case 'no-host':
      return attempt(deps, { ...task, way });
    case 'place':
      try {
        return await attempt(deps, { ...task, way, group: way.group });
      } finally {
        way.choice.slot.release();
      }
    case 'busy':
    case 'backed-off':
      if (await mustReport(deps, config, job)) return attempt(deps, { ...task, way, group: way.group });
      if (way.outcome === 'busy') return waitForSlot(deps, job, way);
      return waitForDestination(deps, job, way);
  }
}

type Task = {
  readonly config: Config;
  readonly job: DeliverJob;
  readonly handout: Handout;
  /** The fair-queue group that what is left goes on in. */
  readonly group: string;
  /** Where no host may be asked now, the attempt is judged without a connection. */
  readonly way: Extract<Way, { outcome: 'place' | 'no-host' }> | NoPlace | { readonly outcome: 'landed' };
};

/** One at a time in this process, whatever the clocks say: one that was frozen in between finds its lease run out. */
async function attempt(deps: DeliverDeps, task: Task): Promise<DeliverOutcome> {
  const { underWay } = deps.memory;
  const key = deliveryKey(task.job);
  if (underWay.has(key)) return waitForOther(deps, task.job);
  underWay.add(key);
  try {
    return await attemptAlone(deps, task);
  } finally {
    underWay.delete(key);
  }
}

async function attemptAlone(deps: DeliverDeps, task: Task): Promise<DeliverOutcome> {
  const { config, job, handout } = task;
  const { memory, store, clock, soleWorker = false, finalReplyMs = usualFinalReplyMs } = deps;
  const runEndsAt = deps.runEndsAt ?? null;
  const attemptSeconds = leaseSeconds(config.delivery.attemptSeconds, {
    bytes: job.raw.bytes,
    finalReplyMs,
    runEndsAt,
  });
  const claimDeps = { store, clock, owner: memory.owner, soleWorker };
  const claim = await claimAttempt(claimDeps, job, { handout, attemptSeconds });
  switch (claim.outcome) {
    case 'over':
      return { outcome: 'duplicate' };
    case 'busy':
      return wait(deps, job, { until: claim.until, reason: 'another worker is at it', group: task.group });
    case 'unsettled':
      await settleDelivery(deps, config, { ...claim, group: task.group });
      return { outcome: 'duplicate' };
    case 'claimed':
      return carryOut(deps, task, claim);
  }
}

/** Gathers, judges, records, and only then gives the connections back and acts. */
async function carryOut(deps: DeliverDeps, task: Task, claimed: StoredState): Promise<DeliverOutcome> {
  const { config, job } = task;
  const startedAt = deps.clock();
  const pending = pendingJob(claimed.state.job, pendingOf(claimed.state));
  const facts = await gather(deps, task, pending).catch((thrown: unknown) =>
    noteOwnFault(deps, { config, claimed, faults: task.handout.faults ?? 0 }, thrown),
  );
  try {
    const isExpired = deps.clock() >= Date.parse(claimed.state.job.expiresAt);
    const state = judgeAttempt(
      claimed.state,
      { ...facts, record: { ...facts.record, attempt: claimed.state.lease?.attempt ?? job.attempt } },
      {
        delivery: config.delivery,
        now: deps.clock(),
        random: deps.random,
        isPortBlocked: isExpired && (await isPortBlocked(deps)),
        noticeId: () => deps.newMessageId(deps.clock()),
      },
    );
    const written = await recordOutcome(deps, { ...claimed, state }, isKnownHereOnly(facts));
    if (written === null) return await leaseLost(deps, job, facts);
    facts.release();
    await tellOthers(deps, task, { facts, startedAt });
    await settleDelivery(deps, config, { ...written, group: task.group });
    return report(deps, state, facts);
  } finally {
    facts.release();
  }
}

async function gather(deps: DeliverDeps, { config, way }: Task, pending: DeliverJob): Promise<AttemptFacts> {
  const at = new Date(deps.clock()).toISOString();
  const unasked = (reason: string | null) => ({ ...nothing, record: { at, seconds: 0, reason, hosts: [] } });
  if (pending.landed === true || way.outcome === 'landed') return { ...unasked(null), unasked: 'landed' };
  if (way.outcome === 'backed-off') return { ...unasked(shownBackOff(way.record)), unasked: 'no-place' };
  if (way.outcome === 'busy') return { ...unasked(way.reason), unasked: 'no-place' };
  if (way.outcome === 'no-host' && way.routes.outcome === 'later') {
    const problem = (await deps.dnsProblem?.()) ?? null;
    if (problem !== null) throw ownFault('dns', problem);
  }
  const { finalReplyMs = usualFinalReplyMs } = deps;
  const time = attemptTime(config.delivery.attemptSeconds, { finalReplyMs, runEndsAt: deps.runEndsAt ?? null });
  const onSlow = (destination: string): void => {
    deps.log.warn('destination-slow', { id: pending.id, domain: pending.domain, destination });
    publishFailure(deps, destination).catch((error: unknown) =>
      deps.log.error('destination-not-kept', { destination, ...errorFields(error) }),
    );
  };
  const plan = { config, job: pending, way, time, onSlow };
  return attemptDelivery(deps, plan, () =>
    prepareOutgoingMessage({ ...deps, keys: deps.memory.keys }, config, pending),
  );
}

/** What the attempt showed of destinations and of our own network is for all jobs, and all processes, to know. */
async function tellOthers(
  deps: DeliverDeps,
  { config, job }: Task,
  { facts, startedAt }: { readonly facts: AttemptFacts; readonly startedAt: number },
): Promise<void> {
  const { hosts } = facts.record;
  const { retrySeconds, mode, port } = config.delivery;
  const byDestination = Map.groupBy(hosts, (host) => destinationOf(config, host));
  for (const [destination, tries] of byDestination) {
    const verdict = judgeDestination(tries);
    if (verdict.outcome === 'failed' && facts.noted.has(destination)) {
      await publishFailure(deps, destination);
    } else await recordVerdict(deps, destination, { verdict, startedAt, retrySeconds });
  }
  if (mode !== 'mx') return;
  await watchPort(deps, sightOf(hosts), { domain: job.domain, ip: hosts.at(-1)?.ip ?? '', port });
}

function report(deps: DeliverDeps, state: DeliveryState, facts: AttemptFacts): DeliverOutcome {
  const { id, domain } = state.job;
  const reason = state.recipients.find((recipient) => recipient.state !== 'delivered')?.reason ?? '';
  const host = facts.record.hosts.at(-1)?.host;
  const seconds = facts.record.seconds;
  deps.metrics.count('deliveries', { outcome: state.state === 'waiting' ? 'deferred' : state.state });
  deps.metrics.measure('delivery-seconds', seconds);
  const retryAt = state.next?.at;
  const fault = facts.unasked === 'own-fault' ? { isOurFault: true } : {};
  deps.log.info('delivery-attempt', { id, domain, outcome: state.state, host, seconds, reason, retryAt });
  switch (state.state) {
    case 'delivered':
      return { outcome: 'delivered' };
    case 'bounced':
    case 'partial':
      return { outcome: state.state, reason, ...fault };
    case 'sending':
    case 'waiting':
      return { outcome: 'deferred', retryAt: retryAt ?? state.updatedAt, reason, ...fault };
  }
}

/** Whether a host took the message or may have, or refused it for good: to ask again would be one time too many. */
function isKnownHereOnly({ record }: AttemptFacts): boolean {
  const results = record.hosts.flatMap(({ recipients }) => recipients);
  return results.some(({ outcome }) => outcome === 'accepted' || outcome === 'unknown' || outcome === 'refused');
}

/** Another worker took the attempt over while this one was at it: what this one did can only be told to the log. */
async function leaseLost(deps: DeliverDeps, job: DeliverJob, facts: AttemptFacts): Promise<DeliverOutcome> {
  const results = facts.record.hosts.flatMap(({ recipients }) => recipients.map(({ outcome }) => outcome));
  deps.log.error('delivery-lease-lost', { id: job.id, domain: job.domain, results: results.join(' ') });
  deps.metrics.count('delivery-leases-lost');
  return { outcome: 'duplicate' };
}

/** Mail that waits for its destination still expires in time, and its sender is still warned in time. */
async function mustReport(deps: DeliverDeps, { delivery }: Config, job: DeliverJob): Promise<boolean> {
  const now = deps.clock();
  if (now >= Date.parse(job.expiresAt)) return true;
  if (now < Date.parse(job.receivedAt) + delivery.delayWarningSeconds * 1000) return false;
  const stored = await readState(deps.store, deliveryKey(job));
  return (stored?.state.warnedAt ?? null) === null;
}

function pendingOf({ recipients }: DeliveryState): ReadonlySet<string> {
  return new Set(recipients.filter(({ state }) => state === 'pending').map(({ forwardPath }) => forwardPath));
}
