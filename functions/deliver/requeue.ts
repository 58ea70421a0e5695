// Jobs whose time has not come: back on the queue they go, with the reason where people look for it. No attempt is made.

import { shownBackOff, spreadMs } from '#functions/deliver/destination/back-off.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import type { Clock, JobSender, Metrics, ObjectStore } from '#pipeline/contract/ports.ts';
import type { BackOff } from '#pipeline/contract/records/back-off.ts';
import { atOnce, newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { readState, writeState } from './claim-attempt.ts';

export type RequeueDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly jobs: JobSender;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** 0 to 1. */
  readonly random: () => number;
};

/** The job is back on the queue until then. */
export type Waiting = { readonly outcome: 'waiting'; readonly until: string; readonly reason: string };

const otherMs = 5_000;
/** A wait that is shorter is over before anybody looks for its reason, and a write would cost more than it. */
const notedFromMs = 10_000;

type InGroup = { readonly group: string };

/** Back on the queue until the destination is to be tried again, spread so that not all come back at once. */
export async function waitForDestination(
  deps: RequeueDeps,
  job: DeliverJob,
  { record, group }: InGroup & { readonly record: BackOff },
): Promise<Waiting> {
  const until = Math.min(Date.parse(record.until) + deps.random() * spreadMs(record), Date.parse(job.expiresAt));
  const reason = shownBackOff(record);
  await noteWaiting(deps, job, { until, reason });
  return wait(deps, job, { until: new Date(Math.max(until, deps.clock() + 1_000)).toISOString(), reason, group });
}

/** Back on the queue until a slot may be free. What a person wants tried at once is still tried at once then. */
export async function waitForSlot(
  deps: RequeueDeps,
  job: DeliverJob,
  { waitMs, reason, group }: InGroup & { readonly waitMs: number; readonly reason: string },
): Promise<Waiting> {
  const until = Math.min(deps.clock() + waitMs, Math.max(Date.parse(job.expiresAt), deps.clock() + 1_000));
  if (waitMs >= notedFromMs) await noteWaiting(deps, job, { until, reason });
  return wait(deps, job, { until: new Date(until).toISOString(), reason, group });
}

/** People looking for the message find why it waits and until when; where another is moving the state on, that one knows better. */
async function noteWaiting(
  deps: RequeueDeps,
  job: DeliverJob,
  { until, reason }: { readonly until: number; readonly reason: string },
): Promise<void> {
  const key = deliveryKey(job);
  const stored = job.attempt === 1 ? null : await readState(deps.store, key);
  const { state, etag } = stored ?? { state: newDeliveryState(job, deps.clock()), etag: null };
  const isElsewhere = state.lease !== null || (state.next !== null && state.next.attempt !== job.attempt);
  if (isElsewhere || (stored !== null && state.next === null)) return;
  const at = new Date(until).toISOString();
  const next = { attempt: job.attempt, at, reason, queued: true };
  const recipients = state.recipients.map((recipient) =>
    recipient.reason === null ? { ...recipient, reason } : recipient,
  );
  await writeState(deps.store, { key, etag, state: { ...state, recipients, next } });
}

/** The same delivery is under way: whoever is at it will be done with it, or have left it. */
export function waitForOther(deps: RequeueDeps, job: DeliverJob): Promise<Waiting> {
  const until = new Date(deps.clock() + otherMs).toISOString();
  return wait(deps, job, { until, reason: 'it is under way already', group: job.domain });
}

/** Puts a job back on the queue as it is. */
export async function wait(
  deps: RequeueDeps,
  job: DeliverJob,
  { until, reason, group }: InGroup & { readonly until: string; readonly reason: string },
): Promise<Waiting> {
  const notBefore = job.notBefore === atOnce ? atOnce : until;
  await deps.jobs.send('deliver', { ...job, notBefore }, { notBefore: until, group });
  deps.metrics.count('delivery-waits');
  return { outcome: 'waiting', until, reason };
}
