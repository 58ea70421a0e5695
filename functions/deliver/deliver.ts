// The deliver stage: one attempt to bring one message to one domain (RFC 5321 §4.5.4). It reads the delivery's record, asks whether the
// attempt may start, acquires a slot at one of the domain's hosts, claims the attempt, talks to the hosts, judges what they said,
// records that, and then does what follows: the next attempt is queued, the sender is notified. Run twice for one job, it sends once.

import { isPortBlocked } from '#functions/deliver/destination/port25.ts';
import { type AcquiredHost, acquireHost } from '#functions/deliver/hosts/acquire-host.ts';
import { giveUp } from '#functions/deliver/outcome/give-up.ts';
import { judgeAttempt } from '#functions/deliver/outcome/judge-attempt.ts';
import { noteOwnFault } from '#functions/deliver/outcome/note-own-fault.ts';
import { recordOutcome } from '#functions/deliver/outcome/record-outcome.ts';
import { type AttemptOutcome, reportAttempt, reportLostLease } from '#functions/deliver/outcome/report-attempt.ts';
import { settleDelivery } from '#functions/deliver/outcome/settle-delivery.ts';
import { shareFindings } from '#functions/deliver/outcome/share-findings.ts';
import { leaseSeconds } from '#functions/deliver/smtp/timeouts.ts';
import { pathsOf } from '#mail/envelope/recipient.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { Handout } from '#pipeline/contract/ports.ts';
import { type DeliveryState, deliveryRecord, pendingJob, pendingPaths } from '#pipeline/contract/records/delivery.ts';
import { claimAttempt, findDelivery, readDelivery, type StoredDelivery } from './claim-attempt.ts';
import type { DeliverDeps } from './deliver-deps.ts';
import { gatherFacts } from './gather-facts.ts';
import { mayStart, type StartAnswer } from './may-start.ts';
import { requeue, type Waiting } from './requeue.ts';

/** `waiting`: no attempt was made; the job is back on the queue. `duplicate`: there was nothing to do. */
export type DeliverOutcome = AttemptOutcome | Waiting | { readonly outcome: 'duplicate' };

type Task = {
  readonly config: Config;
  readonly job: DeliverJob;
  readonly handout: Handout;
  /** The hosts, once they are looked up. */
  readonly host: AcquiredHost | null;
  /** The fair-queue group that what is left goes on in. */
  readonly group: string;
  /** Whether another worker was faster before. */
  readonly isSecondTry: boolean;
};

const underWayMs = 5_000;
const secondTryMs = 1_000;

/** Runs the stage for one job. Throws if the platform fails: the queue hands the job out again. */
export async function deliver(deps: DeliverDeps, job: DeliverJob, handout: Handout): Promise<DeliverOutcome> {
  const { underWay } = deps.memory;
  const key = deliveryRecord.key(job);
  const task = { config: await deps.config.current(), job, handout, host: null, group: job.domain, isSecondTry: false };
  // One at a time in this process: the lease of one that was frozen in between may have run out.
  if (underWay.has(key)) return requeue(deps, task, soon(deps, underWayMs, 'this process is at it already'));
  underWay.add(key);
  try {
    return await takeUp(deps, task, await findDelivery(deps, job, handout));
  } finally {
    underWay.delete(key);
  }
}

/** Hosts are looked up only for an attempt that may start without them. A report of what was delivered here needs none. */
async function takeUp(deps: DeliverDeps, task: Task, found: StoredDelivery): Promise<DeliverOutcome> {
  const answer = ask(deps, task, found);
  if (answer.answer !== 'start' || task.job.deliveredLocally === true) return act(deps, task, { found, answer });
  const host = await acquireHost(deps, task.config, task.job);
  const withHost = { ...task, host, group: host.group };
  try {
    return await act(deps, withHost, { found, answer: ask(deps, withHost, found) });
  } finally {
    if (host.outcome === 'host') host.choice.slot.release();
  }
}

function ask(deps: DeliverDeps, { config, job, host }: Task, { state }: StoredDelivery): StartAnswer {
  const { memory, soleWorker = false } = deps;
  return mayStart({
    job,
    record: state,
    unavailable: host?.outcome === 'busy' || host?.outcome === 'backed-off' ? host : null,
    worker: { owner: memory.owner, soleWorker },
    delayWarningSeconds: config.delivery.delayWarningSeconds,
    now: deps.clock(),
    random: deps.random(),
  });
}

async function act(
  deps: DeliverDeps,
  task: Task,
  { found, answer }: { readonly found: StoredDelivery; readonly answer: StartAnswer },
): Promise<DeliverOutcome> {
  const { config, job, group } = task;
  switch (answer.answer) {
    case 'done':
      if (answer.isOwing) await settleDelivery(deps, config, { ...found, group });
      return { outcome: 'duplicate' };
    case 'wait':
      return requeue(deps, task, { ...answer, found });
    case 'give-up':
      return (await giveUp(deps, task, found)) ?? requeue(deps, task, soon(deps, secondTryMs, movedOn));
    case 'start': {
      const seconds = leaseSeconds(config.delivery.attemptSeconds, { ...deps, bytes: job.raw.bytes });
      const claimed = await claimAttempt(deps, found, { attempt: answer.attempt, seconds });
      if (claimed !== null) return attempt(deps, task, { claimed, unasked: answer.unasked });
      if (task.isSecondTry) return requeue(deps, task, soon(deps, secondTryMs, movedOn));
      const moved = await readDelivery(deps, job);
      return act(deps, { ...task, isSecondTry: true }, { found: moved, answer: ask(deps, task, moved) });
    }
  }
}

const movedOn = 'another worker has moved it on';

function soon({ clock }: DeliverDeps, ms: number, reason: string): { readonly until: string; readonly reason: string } {
  return { until: new Date(clock() + ms).toISOString(), reason };
}

type Claimed = { readonly claimed: StoredDelivery; readonly unasked: string | null };

/** Gathers, judges, records, and only then releases the connections and does what follows. */
async function attempt(deps: DeliverDeps, task: Task, { claimed, unasked }: Claimed): Promise<DeliverOutcome> {
  const { config, job, host, group, handout } = task;
  const startedAt = deps.clock();
  const asked = askedNow(claimed.state, job);
  const now = job.tryNow === true ? { tryNow: job.tryNow } : {};
  const plan = { config, job: { ...pendingJob(claimed.state.job, asked), ...now }, host, unasked };
  const facts = await gatherFacts(deps, plan).catch((thrown: unknown) =>
    noteOwnFault(deps, { config, claimed, faults: handout.faults ?? 0 }, thrown),
  );
  try {
    const isExpired = deps.clock() >= Date.parse(claimed.state.job.expiresAt);
    const record = { ...facts.record, attempt: claimed.state.lease?.attempt ?? job.attempt };
    const state = judgeAttempt(
      claimed.state,
      { ...facts, record, asked },
      {
        delivery: config.delivery,
        now: deps.clock(),
        random: deps.random,
        isPortBlocked: isExpired && (await isPortBlocked(deps)),
        noticeId: () => deps.newMessageId(deps.clock()),
      },
    );
    const written = await recordOutcome(deps, { ...claimed, state });
    if (written === null) return reportLostLease(deps, job, facts);
    facts.release();
    await shareFindings(deps, { config, job, facts, startedAt });
    await settleDelivery(deps, config, { ...written, group });
    return reportAttempt(deps, state, facts);
  } finally {
    facts.release();
  }
}

/** Those still pending. A report is about its own recipients alone: others of their domain may have to be delivered. */
function askedNow(state: DeliveryState, job: DeliverJob): ReadonlySet<string> {
  const pending = pendingPaths(state);
  return job.deliveredLocally === true ? pathsOf(pendingJob(job, pending).envelope.recipients) : pending;
}
