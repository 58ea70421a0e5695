// How long a message may take. What is promised follows from what befell the service: a job that failed comes back after seconds, one
// whose process died after its queue's visibility timeout, one that waits for a fault of ours after a quarter of an hour at most.
import type { Outcome } from './world.ts';

const secondMs = 1_000;
const minuteMs = 60_000;
/** All stages with their batch windows, cold starts and slow answers, if nothing fails. */
const calmMs = 45 * secondMs;
/** The longest wait for a fault of ours, and the first of a chain of them, which double (pipeline/run/judge-failure.ts). */
const longestRetryMs = 15 * minuteMs;
const firstRetryMs = 90 * secondMs;
const promptMs = 6 * minuteMs;
/** Eight runs that fail, and the hand-outs in which the sender is told: 5 s, 10 s and so on, 5 minutes at most. */
const doomedMs = 15 * minuteMs;
/** The DNS: two judgements more, each after a wait, and the deadline of each (dns.temperrorRetrySeconds). */
const dnsMs = 2 * minuteMs;
/** A destination is backed off for half an hour at most, jobs for it are spread, and a worker may hold a lease for a run. */
const destinationMs = 35 * minuteMs;
const runMs = 16 * minuteMs;

export type Waited = {
  /** When it was promised. */
  readonly at: number;
  /** `doomed`: its job fails whenever it is run. */
  readonly kind: 'mailbox' | 'remote' | 'doomed';
  readonly fate: string;
  /** When it came to its end; null: it has not. */
  readonly endAt: number | null;
};

/** Says that it took too long, or null. */
export function lateness(outcome: Outcome, waited: Waited): string | null {
  const endAt = waited.endAt ?? outcome.endMs;
  const dueAt = dueBy(outcome, waited, endAt);
  if (endAt <= dueAt) return null;
  const [took, allowed] = [endAt - waited.at, dueAt - waited.at].map((ms) => (ms / secondMs).toFixed(0));
  return `${waited.fate} after ${took} s, ${allowed} s were promised`;
}

function dueBy(outcome: Outcome, waited: Waited, endAt: number): number {
  switch (waited.kind) {
    case 'mailbox':
      return dueInMailbox(outcome, waited.at, endAt);
    case 'remote':
      return dueElsewhere(outcome, waited, endAt);
    case 'doomed':
      return lastTrouble(outcome, waited.at, endAt).lastAt + doomedMs + longestRetryMs;
  }
}

function dueInMailbox(outcome: Outcome, at: number, endAt: number): number {
  const { lastAt, isTroubled } = lastTrouble(outcome, at, endAt);
  if (!isTroubled) return at + calmMs;
  // For the first minutes of trouble it is tried every minute; then waits double.
  const retryMs = lastAt - at < promptMs ? firstRetryMs : Math.min(firstRetryMs + 1.5 * (lastAt - at), longestRetryMs);
  return lastAt + retryMs + dnsMs + calmMs;
}

/** What can be delivered is, once the last fault is over; what cannot bounces when it expires. */
function dueElsewhere(outcome: Outcome, { at, fate }: Waited, endAt: number): number {
  const { terms } = outcome;
  const { lastAt } = lastTrouble(outcome, at, endAt);
  const slackMs = longestRetryMs + dnsMs + calmMs + destinationMs + runMs;
  const expiresAt = Math.max(at + terms.expireSeconds * secondMs, lastAt) + slackMs;
  if (fate !== 'delivered') return expiresAt;
  return Math.min(expiresAt, lastAt + Math.max(...terms.retrySeconds) * 1.1 * secondMs + slackMs);
}

/** When the last thing that befell anybody stopped to keep jobs back. */
function lastTrouble(
  { troubles }: Outcome,
  from: number,
  to: number,
): { readonly lastAt: number; readonly isTroubled: boolean } {
  // What befell jobs some time before may still keep this one waiting: a destination, a remembered failure, a sandbox that stands still.
  const those = troubles.filter(({ at, hiddenMs }) => at + hiddenMs >= from - 10 * minuteMs && at <= to);
  const lastAt = those.reduce((last, { at, hiddenMs }) => Math.max(last, at + hiddenMs), from);
  return { lastAt, isTroubled: those.length > 0 };
}
