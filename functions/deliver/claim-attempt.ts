// The right to try: one attempt of one delivery belongs to one worker, by compare-and-set on the `deliveries/` object. A job
// the queue hands out twice finds the lease taken or the attempt done. A lease of a worker that died is taken over: at once
// where this process is the only one there is, else when it runs out.

import type { MessageId } from '#mail/header/message-id.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import type { Clock, Handout, ObjectStore } from '#pipeline/contract/ports.ts';
import {
  type DeliveryState,
  deliveryRecord,
  newDeliveryState,
  reviveGivenUp,
} from '#pipeline/contract/records/delivery.ts';

export type ClaimDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly clock: Clock;
  /** Names this process, which is at one delivery once at most: a lease of its own is one it failed to end. */
  readonly owner: string;
  /** No other process works on this store: a lease of another owner is that of a dead one. */
  readonly soleWorker: boolean;
};

/** A state as stored, and the version that the next write must find. */
export type StoredState = { readonly key: string; readonly state: DeliveryState; readonly etag: string };

/**
 * `claimed`: try now. `unsettled`: the attempt is done, but what follows from it may not be. `busy`: another is at it.
 * `over`: nothing is left to do for this job.
 */
export type Claim =
  | ({ readonly outcome: 'claimed' | 'unsettled' } & StoredState)
  | { readonly outcome: 'busy'; readonly until: string }
  | { readonly outcome: 'over' };

/** What to do about a stored state; `take` with the attempt's number. */
export type ClaimVerdict =
  | { readonly outcome: 'take'; readonly attempt: number }
  | { readonly outcome: 'unsettled' }
  | { readonly outcome: 'busy'; readonly until: string }
  | { readonly outcome: 'over' };

const leaseMarginSeconds = 60;

/** Claims the attempt for a job. `attemptSeconds`: how long an attempt may take. */
export async function claimAttempt(
  deps: ClaimDeps,
  job: DeliverJob,
  { handout, attemptSeconds }: { readonly handout: Handout; readonly attemptSeconds: number },
): Promise<Claim> {
  const key = deliveryKey(job);
  const isNew = job.attempt === 1 && handout.receiveCount === 1 && (handout.faults ?? 0) === 0;
  const before = isNew ? null : await readState(deps.store, key);
  const first = before ?? { key, state: newDeliveryState(job, deps.clock()), etag: null };
  const claim = await claimOver(deps, first, { job, attemptSeconds });
  if (claim !== 'lost') return claim;
  const found = await readState(deps.store, key);
  const second = found === null ? 'lost' : await claimOver(deps, found, { job, attemptSeconds });
  return second === 'lost' ? { outcome: 'busy', until: new Date(deps.clock() + 1000).toISOString() } : second;
}

/** Reads a delivery's state; null where there is none. Throws where what is stored is none of ours, unless `instead` answers for it. */
export async function readState(
  store: Pick<ObjectStore, 'get'>,
  key: string,
  instead?: (reason: string) => DeliveryState,
): Promise<StoredState | null> {
  const stored = await deliveryRecord.read(store, key, instead);
  return stored === null ? null : { key, state: stored.record, etag: stored.etag };
}

/** Moves a state on; null where another was faster. Without an etag it must not be there yet. */
export async function writeState(
  store: Pick<ObjectStore, 'put'>,
  { key, state, etag }: { readonly key: string; readonly state: DeliveryState; readonly etag: string | null },
): Promise<StoredState | null> {
  const written = await deliveryRecord.write(store, key, state, etag === null ? { ifAbsent: true } : { ifMatch: etag });
  return written === null ? null : { key, state, etag: written };
}

type Facts = Pick<ClaimDeps, 'owner' | 'soleWorker'> & { readonly now: number };

/** Decides what a job may do about a state. Pure. */
export function judgeClaim(
  { lease, next, notices, recipients }: DeliveryState,
  attempt: number,
  facts: Facts,
): ClaimVerdict {
  if (lease !== null) {
    if (isLeaseAlive(lease, facts)) return { outcome: 'busy', until: lease.until };
    return { outcome: 'take', attempt: lease.attempt };
  }
  const isSettled = notices.every(({ outcome }) => outcome !== 'owed') && (next === null || next.queued);
  const isDone = recipients.every(({ state }) => state !== 'pending') || (next !== null && attempt < next.attempt);
  if (!isDone) return { outcome: 'take', attempt: Math.max(attempt, next?.attempt ?? 1) };
  return isSettled ? { outcome: 'over' } : { outcome: 'unsettled' };
}

/** Whether another worker is at it: a lease of this process, or of a dead one, or one that ran out, is nobody's. */
export function isLeaseAlive(
  lease: NonNullable<DeliveryState['lease']>,
  { owner, soleWorker = false, now }: { readonly owner: string; readonly soleWorker?: boolean; readonly now: number },
): boolean {
  return lease.owner !== owner && !soleWorker && Date.parse(lease.until) > now;
}

async function claimOver(
  deps: ClaimDeps,
  { key, state: found, etag }: { readonly key: string; readonly state: DeliveryState; readonly etag: string | null },
  { job, attemptSeconds }: { readonly job: DeliverJob; readonly attemptSeconds: number },
): Promise<Claim | 'lost'> {
  // A job that comes although it was given up was redriven.
  const state = found.givenUp === undefined ? found : reviveGivenUp(found, job);
  refuseStranger(state, job);
  const now = deps.clock();
  const verdict = judgeClaim(state, job.attempt, { ...deps, now });
  switch (verdict.outcome) {
    case 'busy':
    case 'over':
      return verdict;
    case 'unsettled':
      return etag === null ? { outcome: 'over' } : { outcome: 'unsettled', key, state, etag };
    case 'take': {
      const taken = await writeState(deps.store, {
        key,
        etag,
        state: leased(state, verdict.attempt, { ...deps, now, attemptSeconds }),
      });
      return taken === null ? 'lost' : { outcome: 'claimed', ...taken };
    }
  }
}

function leased(
  state: DeliveryState,
  attempt: number,
  { owner, now, attemptSeconds }: { readonly owner: string; readonly now: number; readonly attemptSeconds: number },
): DeliveryState {
  const at = new Date(now).toISOString();
  const until = new Date(now + (attemptSeconds + leaseMarginSeconds) * 1000).toISOString();
  return {
    ...state,
    state: 'sending',
    updatedAt: at,
    attempts: state.lease === null ? state.attempts : [...state.attempts, interrupted(state.lease)],
    lease: { attempt, owner, at, until },
  };
}

/** The worker before died on it: whether the peer has the message is not known. */
function interrupted({
  attempt,
  at,
}: {
  readonly attempt: number;
  readonly at: string;
}): DeliveryState['attempts'][number] {
  return {
    attempt,
    at,
    seconds: 0,
    reason: 'interrupted: the worker stopped; what it had sent is not known',
    hosts: [],
  };
}

/** One job a message and domain: recipients the state does not know would be lost without a trace. */
function refuseStranger({ recipients }: DeliveryState, job: { readonly id: MessageId } & DeliverJob): void {
  const known = new Set(recipients.map(({ forwardPath }) => forwardPath));
  const unknown = job.recipients.filter(({ forwardPath }) => !known.has(forwardPath));
  if (unknown.length === 0) return;
  throw new Error(`a second delivery of ${job.id} to ${job.domain}, with recipients the first does not have`);
}
