// What becomes of a job whose run failed: the one place that decides it, for the runner on one machine and for Lambda's
// event consumer alike. Pure.
import type { DeliverJob, ParseJob, ReceivedJob } from '#pipeline/contract/jobs.ts';
import type { BackOff } from '#pipeline/contract/stages.ts';
import { type FaultKind, faultOf, whyHopeless } from './own-fault.ts';

/** What the configuration says of waiting: the schedule of deliveries, and how long a message lives. */
export type Patience = { readonly retrySeconds: readonly number[]; readonly expireSeconds: number };

/** A failure and what is known of the job. `faults`: hand-outs in a row before this one that ended by a fault of ours. */
export type Failure = {
  readonly thrown: unknown;
  readonly receiveCount: number;
  readonly faults: number;
  readonly maxReceives: number;
  readonly backOff: BackOff;
  /** When the message has lived its time, in milliseconds since 1970. */
  readonly lifeEndsAt: number;
};

/**
 * `waits`: a fault of ours; again at `retryAt` (milliseconds since 1970), and it does not count. `again`: after `delaySeconds`, and it
 * counts. `dies`: a dead letter, whose sender is to be told.
 */
export type Fate =
  | { readonly fate: 'waits'; readonly kind: FaultKind; readonly reason: string; readonly retryAt: number }
  | { readonly fate: 'again'; readonly reason: string; readonly delaySeconds: number }
  | { readonly fate: 'dies'; readonly reason: string };

/** Where no configuration can be read: the defaults. */
export const usualPatience: Patience = { retrySeconds: [300], expireSeconds: 432_000 };

const firstFaultWaitSeconds = 30;
/** The longest that a job waits before it is seen whether we are mended. */
export const longestFaultWaitSeconds = 900;
/** What a delivery that expired is given to be told of, where a fault of ours keeps even that from being done. */
const afterExpiryMs = 86_400_000;

/** Decides. */
export function judgeFailure(
  failure: Failure,
  { now, random, patience }: { readonly now: number; readonly random: number; readonly patience: Patience },
): Fate {
  const { thrown, faults, receiveCount, maxReceives, backOff, lifeEndsAt } = failure;
  const hopeless = whyHopeless(thrown);
  if (hopeless !== null) return { fate: 'dies', reason: hopeless };
  const fault = faultOf(thrown);
  if (fault === null) {
    if (receiveCount >= maxReceives) return { fate: 'dies', reason: reasonOf(thrown) };
    return { fate: 'again', reason: reasonOf(thrown), delaySeconds: waitSeconds(backOff, receiveCount - 1, random) };
  }
  const reason = fault.message;
  if (now >= lifeEndsAt)
    return { fate: 'dies', reason: `it waited as long as a message lives; the last reason: ${reason}` };
  const retryAt = fault.retryAt ?? now + faultWaitMs(faults, patience, random);
  return { fate: 'waits', kind: fault.fault, reason, retryAt };
}

/**
 * How long a job waits for us to be mended, after `faults` waits before: 30 s, doubling to 15 minutes, but never longer than
 * the schedule has a deferred message wait.
 */
export function faultWaitMs(faults: number, { retrySeconds }: Pick<Patience, 'retrySeconds'>, random: number): number {
  const firstSeconds = Math.min(firstFaultWaitSeconds, ...retrySeconds);
  const longestSeconds = Math.min(longestFaultWaitSeconds, Math.max(...retrySeconds));
  return Math.round(waitSeconds({ firstSeconds, longestSeconds }, faults, random) * 1_000);
}

/** `firstSeconds` · 2ⁿ, up to 30 % less, so that not all come back at once. */
export function waitSeconds({ firstSeconds, longestSeconds }: BackOff, n: number, random: number): number {
  return Math.min(firstSeconds * 2 ** Math.min(n, 20), longestSeconds) * (1 - 0.3 * random);
}

/** When the message of a job has lived its time, in milliseconds since 1970. */
export function lifeEnd(
  job: ReceivedJob | ParseJob | DeliverJob,
  { expireSeconds }: Pick<Patience, 'expireSeconds'>,
): number {
  if ('expiresAt' in job) return Date.parse(job.expiresAt) + afterExpiryMs;
  return Date.parse(job.receivedAt) + expireSeconds * 1_000;
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}
