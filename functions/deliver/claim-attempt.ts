// The lease on an attempt: one attempt of one delivery belongs to one worker, by compare-and-set on the `deliveries/` object. The lease
// of a worker that died is taken over when it runs out, or at once if there is no other process (may-start.ts).
import { pathsOf, pendingRecipient } from '#mail/envelope/recipient.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { Handout } from '#pipeline/contract/ports.ts';
import {
  type DeliveryState,
  deliveryRecord,
  newDeliveryState,
  withRecipients,
} from '#pipeline/contract/records/delivery.ts';
import type { DeliverDeps } from './deliver-deps.ts';

type ClaimDeps = Pick<DeliverDeps, 'store' | 'clock' | 'log' | 'memory'>;

/** A delivery's record, and the version that the next write must find (null if nothing is stored yet). */
export type StoredDelivery = { readonly key: string; readonly state: DeliveryState; readonly etag: string | null };

const leaseMarginSeconds = 60;

/** The record as the job finds it. The first run of a job most likely has none, so none is looked for. */
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

/** Writes a record; null if another worker has written it since. */
export async function writeDelivery(
  store: Pick<DeliverDeps['store'], 'put'>,
  { key, state, etag }: StoredDelivery,
): Promise<StoredDelivery | null> {
  const written = await deliveryRecord.write(store, key, state, etag === null ? { ifAbsent: true } : { ifMatch: etag });
  return written === null ? null : { key, state, etag: written };
}

/** Takes the lease on an attempt that may take so long; null if another worker was faster. */
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

function interrupted({ attempt, at }: NonNullable<DeliveryState['lease']>): DeliveryState['attempts'][number] {
  const reason = 'interrupted: the worker stopped; what it had sent is not known';
  return { attempt, at, seconds: 0, reason, hosts: [] };
}

/**
 * The record for a job. A dead letter that is redriven makes its recipients pending again; what the sender was told stays on record.
 * Reports and dead letters of one domain share a record, so they may add recipients. Any other job that adds some is a fault of ours.
 */
function forJob(state: DeliveryState, job: DeliverJob): DeliveryState {
  const { givenUp, ...kept } = state;
  const named = pathsOf(job.envelope.recipients);
  const known = pathsOf(state.recipients);
  const added = job.envelope.recipients.filter(({ forwardPath }) => !known.has(forwardPath));
  const again = job.givenUp === undefined ? (givenUp?.recipients.filter((path) => named.has(path)) ?? []) : [];
  if (added.length === 0 && again.length === 0) return state;
  if (givenUp === undefined && job.givenUp === undefined && job.deliveredLocally !== true) {
    throw new Error(`a second delivery of ${job.id} to ${job.domain}, with recipients the first does not have`);
  }
  const left = givenUp?.recipients.filter((path) => !again.includes(path)) ?? [];
  return {
    ...kept,
    ...(givenUp === undefined || left.length === 0 ? {} : { givenUp: { ...givenUp, recipients: left } }),
    state: 'waiting',
    job: withRecipients(again.length > 0 ? job : state.job, [...state.job.envelope.recipients, ...added]),
    recipients: [
      ...state.recipients.map((one) => (again.includes(one.forwardPath) ? pendingRecipient(one.forwardPath) : one)),
      ...added.map(({ forwardPath }) => pendingRecipient(forwardPath)),
    ],
  };
}
