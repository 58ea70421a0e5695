// What becomes of a job whose run failed, in both worlds.
import type { JobOf } from '#pipeline/contract/jobs.ts';
import { hookTriedMs } from '#pipeline/contract/retention.ts';
import type { BackOff, QueueName } from '#pipeline/contract/stages.ts';
import { type FaultKind, faultOf, whyHopeless } from './own-fault.ts';

export type RetrySchedule = { readonly retrySeconds: readonly number[]; readonly expireSeconds: number };

/** `faults`: runs in a row before this one that ended by an own fault. */
export type Failure = {
  readonly thrown: unknown;
  readonly receiveCount: number;
  readonly faults: number;
  readonly maxReceives: number;
  readonly backOff: BackOff;
  /** When the message expires, in milliseconds since 1970. */
  readonly expiresAtMs: number;
};

/**
 * `own-fault`: the job comes again at `retryAt` (milliseconds since 1970), and the run does not count. `retry`: it comes
 * again after `delaySeconds`, and the run counts. `dead-letter`: it does not come again; its sender is to get a report.
 */
export type FailureDecision =
  | { readonly decision: 'own-fault'; readonly kind: FaultKind; readonly reason: string; readonly retryAt: number }
  | { readonly decision: 'retry'; readonly reason: string; readonly delaySeconds: number }
  | { readonly decision: 'dead-letter'; readonly reason: string };

/** If no configuration can be read. */
export const defaultSchedule: RetrySchedule = { retrySeconds: [300], expireSeconds: 432_000 };

const firstFaultWaitSeconds = 30;
/** So many waits are a minute at most: seven to ten minutes, in which most faults are over. */
const promptWaits = 10;
/** A job that waits for an own fault is tried again after this time at the latest. */
export const longestFaultWaitSeconds = 900;
/** After a delivery expired, its report may wait so long for an own fault. */
const reportGraceMs = 86_400_000;

export function judgeFailure(
  failure: Failure,
  { now, random, schedule }: { readonly now: number; readonly random: number; readonly schedule: RetrySchedule },
): FailureDecision {
  const { thrown, faults, receiveCount, maxReceives, backOff, expiresAtMs } = failure;
  const hopeless = whyHopeless(thrown);
  if (hopeless !== null) return { decision: 'dead-letter', reason: hopeless };
  const fault = faultOf(thrown);
  if (fault === null) {
    if (receiveCount >= maxReceives) return { decision: 'dead-letter', reason: reasonOf(thrown) };
    const delaySeconds = waitSeconds(backOff, receiveCount - 1, random);
    return { decision: 'retry', reason: reasonOf(thrown), delaySeconds };
  }
  const reason = fault.message;
  if (now >= expiresAtMs)
    return { decision: 'dead-letter', reason: `it waited as long as a message lives; the last reason: ${reason}` };
  const retryAt = fault.retryAt ?? now + faultWaitMs(faults, schedule, random);
  return { decision: 'own-fault', kind: fault.fault, reason, retryAt };
}

/**
 * How long a job waits for an own fault after `faults` waits before: 30 s, then a minute each for ten minutes, then doubling to
 * 15 minutes, but never longer than a deferred message waits by the schedule.
 */
export function faultWaitMs(faults: number, schedule: Pick<RetrySchedule, 'retrySeconds'>, random: number): number {
  const { retrySeconds } = schedule;
  const firstSeconds = Math.min(firstFaultWaitSeconds, ...retrySeconds);
  const longestSeconds = Math.min(longestFaultWaitSeconds, Math.max(...retrySeconds));
  const doublings = faults < promptWaits ? Math.min(faults, 1) : faults - promptWaits + 2;
  return Math.round(waitSeconds({ firstSeconds, longestSeconds }, doublings, random) * 1_000);
}

/** `firstSeconds` · 2ⁿ, at most `longestSeconds`; up to 30 % less, so that the jobs do not all come back at once. */
export function waitSeconds({ firstSeconds, longestSeconds }: BackOff, n: number, random: number): number {
  return Math.min(firstSeconds * 2 ** Math.min(n, 20), longestSeconds) * (1 - 0.3 * random);
}

/** When a job is given up although an own fault is to blame, in milliseconds since 1970: in general when its message expires. */
export function expiryOf(job: JobOf<QueueName>, { expireSeconds }: Pick<RetrySchedule, 'expireSeconds'>): number {
  if ('hook' in job) return Date.parse(job.createdAt) + hookTriedMs;
  if ('expiresAt' in job) return Date.parse(job.expiresAt) + reportGraceMs;
  return Date.parse(job.receivedAt) + expireSeconds * 1_000;
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}
