// A job that may not start now goes back on the queue; a long wait is noted in its record, where people look for the reason.
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { type StoredDelivery, writeDelivery } from './claim-attempt.ts';
import type { DeliverDeps } from './deliver-deps.ts';

/** The job is back on the queue until then. */
export type Waiting = { readonly outcome: 'waiting'; readonly until: string; readonly reason: string };

/** A shorter wait is over before anybody looks for its reason. */
const notedFromMs = 10_000;

/** Puts a job back on the queue as it is, in this fair-queue group; the wait is noted in the record if one is given. */
export async function requeue(
  deps: Pick<DeliverDeps, 'store' | 'jobs' | 'clock' | 'metrics'>,
  { job, group }: { readonly job: DeliverJob; readonly group: string },
  { until, reason, found }: { readonly until: string; readonly reason: string; readonly found?: StoredDelivery },
): Promise<Waiting> {
  const isLong = Date.parse(until) - deps.clock() >= notedFromMs;
  if (isLong && found !== undefined) await noteWait(deps.store, job, { until, reason, found });
  await deps.jobs.send('deliver', job, { notBefore: until, group });
  deps.metrics.count('delivery-waits');
  return { outcome: 'waiting', until, reason };
}

/** Notes why the message waits and until when, unless another worker is at it. */
async function noteWait(
  store: DeliverDeps['store'],
  { attempt }: DeliverJob,
  { until, reason, found }: { readonly until: string; readonly reason: string; readonly found: StoredDelivery },
): Promise<void> {
  const { state, etag } = found;
  const isPlanned = etag === null || state.next?.attempt === attempt;
  if (state.lease !== null || !isPlanned || state.next?.at === until) return;
  const next = { attempt, at: until, reason, queued: true };
  const recipients = state.recipients.map((recipient) => ({ ...recipient, reason: recipient.reason ?? reason }));
  await writeDelivery(store, { ...found, state: { ...state, recipients, next } });
}
