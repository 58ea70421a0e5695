// The right to try: one attempt of one delivery belongs to one worker, by compare-and-set on the `deliveries/` object. A lease of a
// worker that died is taken over: at once if this process is the only one there is, else when it runs out (may-start.ts).

import type { RecipientDelivery } from '#mail/envelope/recipient.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { Clock, Handout, Log, ObjectStore } from '#pipeline/contract/ports.ts';
import {
  type DeliveryState,
  deliveryRecord,
  newDeliveryState,
  withRecipients,
} from '#pipeline/contract/records/delivery.ts';

export type ClaimDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this process, which is at one delivery once at most. */
  readonly memory: { readonly owner: string };
};

/** A delivery's record, and the version that the next write must find; null: nothing is stored yet. */
export type StoredDelivery = { readonly key: string; readonly state: DeliveryState; readonly etag: string | null };

const leaseMarginSeconds = 60;

/** The record as the job finds it. What the queue hands out for the first time has none most likely, so none is looked for. */
export async function findDelivery(deps: ClaimDeps, job: DeliverJob, handout: Handout): Promise<StoredDelivery> {
  const isFirst = job.attempt === 1 && handout.receiveCount === 1 && (handout.faults ?? 0) === 0;
  if (!isFirst || job.givenUp !== undefined) return readDelivery(deps, job);
  return { key: deliveryRecord.key(job), state: newDeliveryState(job, deps.clock()), etag: null };
}

/** The record as it is stored, or a new one. Throws if what is stored is no such record, unless the job may have died of that. */
export async function readDelivery(deps: ClaimDeps, job: DeliverJob): Promise<StoredDelivery> {
  const key = deliveryRecord.key(job);
  const fresh = newDeliveryState(job, deps.clock());
  const unreadable = (reason: string): DeliveryState => {
    deps.log.error('delivery-record-unreadable', { id: job.id, domain: job.domain, reason: reason.slice(0, 500) });
    return fresh;
  };
  const stored = await deliveryRecord.read(deps.store, key, job.givenUp === undefined ? undefined : unreadable);
  return stored === null
    ? { key, state: fresh, etag: null }
    : { key, state: forJob(stored.record, job), etag: stored.etag };
}

/** Moves a record on; null if another was faster. */
export async function writeDelivery(
  store: Pick<ObjectStore, 'put'>,
  { key, state, etag }: StoredDelivery,
): Promise<StoredDelivery | null> {
  const written = await deliveryRecord.write(store, key, state, etag === null ? { ifAbsent: true } : { ifMatch: etag });
  return written === null ? null : { key, state, etag: written };
}

/** Takes the lease on an attempt that may take so long; null if another was faster. */
export async function claimAttempt(
  { store, clock, memory: { owner } }: ClaimDeps,
  { state, ...stored }: StoredDelivery,
  { attempt, seconds }: { readonly attempt: number; readonly seconds: number },
): Promise<StoredDelivery | null> {
  const at = new Date(clock()).toISOString();
  const until = new Date(clock() + (seconds + leaseMarginSeconds) * 1_000).toISOString();
  const attempts = state.lease === null ? state.attempts : [...state.attempts, interrupted(state.lease)];
  const lease = { attempt, owner, at, until };
  return writeDelivery(store, { ...stored, state: { ...state, state: 'sending', updatedAt: at, attempts, lease } });
}

/** The worker before died on it: whether the peer has the message is not known. */
function interrupted({ attempt, at }: NonNullable<DeliveryState['lease']>): DeliveryState['attempts'][number] {
  const reason = 'interrupted: the worker stopped; what it had sent is not known';
  return { attempt, at, seconds: 0, reason, hosts: [] };
}

/**
 * The record for a job. A redriven job that had been given up makes its recipients pending again; what the sender was told stays on
 * record. Reports and dead letters of one domain share a record, so they bring recipients that it does not know. Any other job
 * must not: they would be lost without a trace.
 */
function forJob(state: DeliveryState, job: DeliverJob): DeliveryState {
  const { givenUp, ...kept } = state;
  const named = new Set(job.envelope.recipients.map(({ forwardPath }) => forwardPath));
  const known = new Set(state.recipients.map(({ forwardPath }) => forwardPath));
  const added = job.envelope.recipients.filter(({ forwardPath }) => !known.has(forwardPath));
  const again = job.givenUp === undefined ? (givenUp?.recipients.filter((path) => named.has(path)) ?? []) : [];
  if (added.length === 0 && again.length === 0) return state;
  if (givenUp === undefined && job.givenUp === undefined && job.deliveredLocally !== true) {
    throw new Error(`a second delivery of ${job.id} to ${job.domain}, with recipients the first does not have`);
  }
  const left = givenUp?.recipients.filter((path) => !again.includes(path)) ?? [];
  const pending = newDeliveryState(job, 0).recipients;
  const pendingOf = (path: string): RecipientDelivery[] => pending.filter(({ forwardPath }) => forwardPath === path);
  return {
    ...kept,
    ...(givenUp === undefined || left.length === 0 ? {} : { givenUp: { ...givenUp, recipients: left } }),
    state: 'waiting',
    job: withRecipients(again.length > 0 ? job : state.job, [...state.job.envelope.recipients, ...added]),
    recipients: [
      ...state.recipients.flatMap((one) => (again.includes(one.forwardPath) ? pendingOf(one.forwardPath) : [one])),
      ...added.flatMap(({ forwardPath }) => pendingOf(forwardPath)),
    ],
  };
}
