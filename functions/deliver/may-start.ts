// Whether an attempt may start now: the one place that decides it, from the job, the delivery's record, its hosts, and the time.
// Pure. It is asked when a job arrives, again when its hosts are known and a slot at one of them is acquired or not, and again
// if another worker has written the record. Only the queue knows when a job is due: a job that arrives is due.
import { shownBackOff, spreadMs } from '#functions/deliver/destination/back-off.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { BackOff } from '#pipeline/contract/records/back-off.ts';
import { type DeliveryState, pendingPaths } from '#pipeline/contract/records/delivery.ts';

/** No host may be asked now: all are backed off (the one that ends first), or one has as many deliveries as it may have. */
export type Unavailable =
  | { readonly outcome: 'backed-off'; readonly backOff: BackOff }
  | { readonly outcome: 'busy'; readonly waitMs: number; readonly reason: string };

/** The process that asks: its name in leases, and whether no other process works on this store. */
export type Worker = { readonly owner: string; readonly soleWorker: boolean };

export type StartFacts = {
  readonly job: Pick<DeliverJob, 'attempt' | 'receivedAt' | 'expiresAt' | 'envelope' | 'deliveredLocally' | 'givenUp'>;
  readonly record: Pick<DeliveryState, 'lease' | 'next' | 'notices' | 'recipients' | 'warnedAt'>;
  /** Null: a host may be asked, or none needs to be, or they are not looked up yet. */
  readonly unavailable: Unavailable | null;
  readonly worker: Worker;
  readonly delayWarningSeconds: number;
  /** In milliseconds since 1970. */
  readonly now: number;
  /** 0 to 1: spreads the jobs that wait for one destination. */
  readonly random: number;
};

/**
 * `start`: attempt number `attempt`; with `unasked` (a sentence) it is made without asking a host, because the message expires or
 * its sender is to be warned. `wait`: back on the queue until then. `give-up`: the job became a dead letter, and some of its
 * recipients are still pending. `done`: none is; `isOwing`: what follows from the last attempt may not be done yet.
 */
export type StartAnswer =
  | { readonly answer: 'start'; readonly attempt: number; readonly unasked: string | null }
  | { readonly answer: 'wait'; readonly until: string; readonly reason: string }
  | { readonly answer: 'give-up' }
  | { readonly answer: 'done'; readonly isOwing: boolean };

const shortestBackOffMs = 1_000;

/** Answers whether an attempt may start. */
export function mayStart(facts: StartFacts): StartAnswer {
  const { job, record, worker, now } = facts;
  const { lease, next } = record;
  if (lease !== null && isHeldByOther(lease, worker, now)) {
    return { answer: 'wait', until: lease.until, reason: 'another worker is at it' };
  }
  if (isOver(record, job)) return { answer: 'done', isOwing: isOwing(record) };
  if (job.givenUp !== undefined) return { answer: 'give-up' };
  return startAtDestination(facts, lease?.attempt ?? Math.max(job.attempt, next?.attempt ?? 1));
}

/** Whether a destination with this record may not be asked now. A person who wants a message tried now does not wait for it. */
export function isBackedOff(
  backOff: BackOff | null,
  { tryNow }: Pick<DeliverJob, 'tryNow'>,
  now: number,
): backOff is BackOff {
  return backOff !== null && tryNow !== true && Date.parse(backOff.until) > now;
}

/** A lease of this process, of a dead process, or that ran out does not count. */
function isHeldByOther({ owner, until }: NonNullable<DeliveryState['lease']>, worker: Worker, now: number): boolean {
  return owner !== worker.owner && !worker.soleWorker && Date.parse(until) > now;
}

/** Whether none of the job's recipients is pending, or a later attempt is planned for them. */
function isOver({ lease, next, recipients }: StartFacts['record'], job: StartFacts['job']): boolean {
  const pending = pendingPaths({ recipients });
  if (!job.envelope.recipients.some(({ forwardPath }) => pending.has(forwardPath))) return true;
  // A report is about what has happened: no attempt that is planned makes it untrue.
  return job.deliveredLocally !== true && lease === null && next !== null && job.attempt < next.attempt;
}

function isOwing({ notices, next }: StartFacts['record']): boolean {
  return notices.some(({ outcome }) => outcome === 'owed') || next?.queued === false;
}

/** Mail that waits for its destination still expires in time, and its sender is still warned in time. */
function startAtDestination(facts: StartFacts, attempt: number): StartAnswer {
  const { job, record, unavailable, delayWarningSeconds, now, random } = facts;
  if (unavailable === null) return { answer: 'start', attempt, unasked: null };
  const isBackedOff = unavailable.outcome === 'backed-off';
  const reason = isBackedOff ? shownBackOff(unavailable.backOff) : unavailable.reason;
  const expiresAt = Date.parse(job.expiresAt);
  const isLate = now >= Date.parse(job.receivedAt) + delayWarningSeconds * 1_000;
  if (now >= expiresAt || (isLate && record.warnedAt === null)) return { answer: 'start', attempt, unasked: reason };
  const dueAt = isBackedOff ? afterBackOff(unavailable.backOff, now, random) : now + unavailable.waitMs;
  const until = new Date(Math.min(dueAt, Math.max(expiresAt, now + shortestBackOffMs))).toISOString();
  return { answer: 'wait', until, reason };
}

/** Not all messages come back in the moment in which their destination is tried again. */
function afterBackOff(backOff: BackOff, now: number, random: number): number {
  return Math.max(Date.parse(backOff.until) + random * spreadMs(backOff), now + shortestBackOffMs);
}
