// The deliver stage: one attempt to bring one message to one domain (RFC 5321 §4.5.4). Waits its turn, claims the
// attempt, talks to the domain's hosts, records what came of it, then does what follows: tries again later, tells the
// sender, keeps an address in mind that does not exist. Run twice for one job, it sends once.
import type { MessageId } from '#mail/message-id.ts';
import type { Config } from '#pipeline/config.ts';
import { atOnce, type DeliveryState, pendingJob } from '#pipeline/delivery-state.ts';
import type { DeliverJob } from '#pipeline/jobs.ts';
import { deliveryKey } from '#pipeline/keys.ts';
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
} from '#pipeline/ports.ts';
import type { AcceptedCounts } from '#pipeline/refusals.ts';
import { type AttemptFacts, attemptDelivery, attemptLimitSeconds } from './attempt-delivery.ts';
import { claimAttempt, readState, type StoredState, writeState } from './claim-attempt.ts';
import type { Connections } from './connections.ts';
import {
  backOff,
  type Destination,
  type DestinationDeps,
  forgive,
  readDestination,
  smarthostDestination,
} from './destination.ts';
import { judgeAttempt, judgeDestination } from './judge-attempt.ts';
import { isPortBlocked, type PortDeps, sightOf, watchPort } from './port25.ts';
import { prepareLetter } from './prepare-letter.ts';
import { settleDelivery } from './settle-delivery.ts';
import { shownTrouble, type Waiting, wait, waitFor, waitForOther, waitForTurn } from './wait.ts';

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
  readonly connections: Connections;
  readonly accepted: AcceptedCounts;
  /** 0 to 1. */
  readonly random: () => number;
  /** True where no other process delivers from this store: what a killed process was at is then taken up at once. */
  readonly soleWorker?: boolean;
};

/**
 * What came of a job. `delivered`, `bounced`, `partial` (some of each): all is done. `deferred`: the rest is tried again at
 * `retryAt`. `waiting`: no attempt was made; the job is back on the queue. `duplicate`: there was nothing to do.
 */
export type DeliverOutcome =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'partial' | 'bounced'; readonly reason: string }
  | { readonly outcome: 'deferred'; readonly retryAt: string; readonly reason: string }
  | Waiting
  | { readonly outcome: 'duplicate' };

const turnWaitMs = 1_000;
/** All mail goes to the one host then: who waits for it keeps nobody else's mail waiting. */
const smarthostTurnWaitMs = 30_000;

/** Runs the stage for one job. Throws where the platform fails: the queue hands the job out again. */
export async function deliver(deps: DeliverDeps, job: DeliverJob, handout: Handout): Promise<DeliverOutcome> {
  const config = await deps.config.current();
  if (Date.parse(job.notBefore) > deps.clock() + 1_000)
    return wait(deps, job, { until: job.notBefore, reason: 'not due yet' });
  const destination = destinationOf(config, job);
  const alone = await leftAlone(deps, job, destination);
  if (alone !== null && !(await mustReport(deps, config, job))) return waitFor(deps, job, alone);

  const trouble = deps.connections.destinations.get(destination)?.record ?? null;
  const limit = trouble === null ? config.delivery.connectionsPerDestination : 1;
  const waitMs = config.delivery.mode === 'smarthost' ? smarthostTurnWaitMs : turnWaitMs;
  const turn = await deps.connections.takeTurn(destination, limit, waitMs);
  if (turn === null) return waitForTurn(deps, config, job);
  try {
    const stillAlone = alone ?? (await leftAlone(deps, job, destination));
    if (alone === null && stillAlone !== null) return await waitFor(deps, job, stillAlone);
    return await attempt(deps, { config, job, handout, destination, alone });
  } finally {
    turn.done();
  }
}

type Task = {
  readonly config: Config;
  readonly job: DeliverJob;
  readonly handout: Handout;
  readonly destination: string;
  /** Set where the destination is left alone for now: the attempt is judged without a connection. */
  readonly alone: Destination | null;
};

/** One at a time in this process, whatever the clocks say: one that was frozen in between finds its lease run out. */
async function attempt(deps: DeliverDeps, task: Task): Promise<DeliverOutcome> {
  const { underWay } = deps.connections;
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
  const { connections, store, clock, soleWorker = false } = deps;
  const attemptSeconds = attemptLimitSeconds(config.delivery, job.raw.bytes);
  const claimDeps = { store, clock, owner: connections.owner, soleWorker };
  const claim = await claimAttempt(claimDeps, job, { handout, attemptSeconds });
  switch (claim.outcome) {
    case 'over':
      return { outcome: 'duplicate' };
    case 'busy':
      return wait(deps, job, { until: claim.until, reason: 'another worker is at it' });
    case 'unsettled':
      await settleDelivery(deps, config, claim);
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
  const facts = await gather(deps, task, pending);
  try {
    const isExpired = deps.clock() >= Date.parse(claimed.state.job.expiresAt);
    const state = judgeAttempt(
      claimed.state,
      { ...facts, record: { ...facts.record, attempt: claimed.state.lease?.attempt ?? job.attempt } },
      {
        delivery: config.delivery,
        now: deps.clock(),
        random: deps.random,
        isPortBlocked: isExpired && (await isPortBlocked(portDeps(deps))),
        noticeId: () => deps.newMessageId(deps.clock()),
      },
    );
    const written = await writeState(deps.store, { ...claimed, state });
    if (written === null) return await leaseLost(deps, job, facts);
    facts.release();
    if (task.alone === null) await tellOthers(deps, task, { facts, startedAt });
    await settleDelivery(deps, config, written);
    return report(deps, state, facts);
  } finally {
    facts.release();
  }
}

async function gather(deps: DeliverDeps, { config, alone }: Task, pending: DeliverJob): Promise<AttemptFacts> {
  const at = new Date(deps.clock()).toISOString();
  if (pending.landed === true) return unasked('landed', { at, reason: null });
  if (alone !== null) return unasked('left-alone', { at, reason: shownTrouble(alone) });
  const keys = deps.connections.keys;
  return attemptDelivery(deps, { config, job: pending }, () => prepareLetter({ ...deps, keys }, config, pending));
}

/** The facts of an attempt for which no host was asked. */
function unasked(
  why: 'left-alone' | 'landed',
  { at, reason }: { readonly at: string; readonly reason: string | null },
): AttemptFacts {
  const nothing = { permanent: null, dsnPassedOn: new Set<string>(), isExhausted: false, release: () => undefined };
  return { ...nothing, record: { at, seconds: 0, reason, hosts: [] }, unasked: why };
}

/** What the attempt showed of the destination and of our own network is for all jobs, and all processes, to know. */
async function tellOthers(
  deps: DeliverDeps,
  { config, destination }: Task,
  { facts, startedAt }: { readonly facts: AttemptFacts; readonly startedAt: number },
): Promise<void> {
  const { hosts } = facts.record;
  const verdict = judgeDestination(hosts);
  if (verdict.outcome === 'failed')
    await backOff(destinationDeps(deps), destination, {
      startedAt,
      reason: verdict.reason,
      retrySeconds: config.delivery.retrySeconds,
    });
  if (verdict.outcome === 'answered') await forgive(destinationDeps(deps), destination);
  if (config.delivery.mode !== 'mx') return;
  await watchPort(portDeps(deps), sightOf(hosts), { destination, port: config.delivery.port });
}

function report(deps: DeliverDeps, state: DeliveryState, facts: AttemptFacts): DeliverOutcome {
  const { id, domain } = state.job;
  const reason = state.recipients.find((recipient) => recipient.state !== 'delivered')?.reason ?? '';
  const host = facts.record.hosts.at(-1)?.host;
  const seconds = facts.record.seconds;
  deps.metrics.count('deliveries', { outcome: state.state === 'waiting' ? 'deferred' : state.state });
  deps.metrics.measure('delivery-seconds', seconds);
  const retryAt = state.next?.at;
  deps.log.info('delivery-attempt', { id, domain, outcome: state.state, host, seconds, reason, retryAt });
  switch (state.state) {
    case 'delivered':
      return { outcome: 'delivered' };
    case 'bounced':
    case 'partial':
      return { outcome: state.state, reason };
    case 'sending':
    case 'waiting':
      return { outcome: 'deferred', retryAt: retryAt ?? state.updatedAt, reason };
  }
}

/** Another worker took the attempt over while this one was at it: what this one did can only be told to the log. */
async function leaseLost(deps: DeliverDeps, job: DeliverJob, facts: AttemptFacts): Promise<DeliverOutcome> {
  const results = facts.record.hosts.flatMap(({ recipients }) => recipients.map(({ outcome }) => outcome));
  deps.log.error('delivery-lease-lost', { id: job.id, domain: job.domain, results: results.join(' ') });
  deps.metrics.count('delivery-leases-lost');
  return { outcome: 'duplicate' };
}

/** All mail for a smarthost has one destination. */
function destinationOf({ delivery: { mode, smarthost } }: Config, { domain }: DeliverJob): string {
  return mode === 'smarthost' && smarthost !== null ? smarthostDestination(smarthost.host) : domain;
}

/** The destination's record where it is to be left alone for now. */
async function leftAlone(deps: DeliverDeps, job: DeliverJob, destination: string): Promise<Destination | null> {
  if (job.notBefore === atOnce || job.landed === true) return null;
  const record = await readDestination(destinationDeps(deps), destination);
  return record !== null && Date.parse(record.until) > deps.clock() ? record : null;
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

function destinationDeps({ store, clock, random, connections }: DeliverDeps): DestinationDeps {
  return { store, clock, random, memory: connections.destinations };
}

function portDeps({ store, clock, log, metrics, connections }: DeliverDeps): PortDeps {
  return { store, clock, log, metrics, memory: connections.port };
}
