// An operator's "try now": makes the delivery due in its record, and queues its job.
import { z } from 'zod';
import { isMessageId, receivedAtOf } from '#mail/header/message-id.ts';
import { json, notFound, refusal } from '#ops/api/answer.ts';
import { messageId, text } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import type { Clock, JobSender, ObjectStore } from '#pipeline/contract/ports.ts';
import { deliveryRecord, retryNow } from '#pipeline/contract/records/delivery.ts';

/** Makes a delivery due now. `not-waiting`: it is delivered, or under way; `reason` says which. */
export type RetryDelivery = (request: {
  readonly id: string;
  readonly domain: string;
}) => Promise<
  { readonly outcome: 'queued' | 'not-found' } | { readonly outcome: 'not-waiting'; readonly reason: string }
>;

/** 409 if nothing is left to try. */
export const retryOneDelivery = useCase({
  about: 'try a waiting delivery now, or one that bounced once more',
  takes: { ID: messageId, DOMAIN: text().toLowerCase() },
  gives: z.object({ id: z.string(), domain: z.string(), outcome: z.literal('queued') }),
  status: 202,
  refuses: ['not-waiting'],
  answer: async (deps: { readonly retryDelivery: RetryDelivery }, { ID: id, DOMAIN: domain }) => {
    const retried = await deps.retryDelivery({ id, domain });
    switch (retried.outcome) {
      case 'queued':
        return json({ id, domain, outcome: 'queued' }, 202);
      case 'not-found':
        return notFound(`no delivery of ${id} to ${domain}`);
      case 'not-waiting':
        return refusal(409, 'not-waiting', retried.reason);
    }
  },
});

type Deps = {
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'put'>;
  readonly jobs: JobSender;
  readonly clock: Clock;
};

const attempts = 5;

/** Bounced recipients are tried again, too. */
export function createRetryDelivery(deps: Deps): RetryDelivery {
  return async ({ id, domain }) => {
    if (!isMessageId(id)) return { outcome: 'not-found' };
    const key = deliveryRecord.key({ id, receivedAt: receivedAtOf(id), domain });
    for (let n = 0; n < attempts; n++) {
      const retried = await tryOnce(deps, key);
      if (retried !== null) return retried;
    }
    return { outcome: 'not-waiting', reason: 'it is being worked on right now' };
  };
}

/** Null if the record has changed meanwhile. */
async function tryOnce({ store, jobs, clock }: Deps, key: string): Promise<Awaited<ReturnType<RetryDelivery>> | null> {
  const found = await deliveryRecord.read(store, key);
  if (found === null) return { outcome: 'not-found' };
  const { record: state, etag } = found;
  const again = state.state === 'bounced' || state.state === 'partial';
  const next = retryNow(state, { nowMs: clock(), again });
  if (next === null) return { outcome: 'not-waiting', reason: `it is ${state.state}: nothing is left to try` };
  if ((await store.head(state.job.raw.key)) === null)
    return { outcome: 'not-waiting', reason: 'its message was deleted' };
  if ((await deliveryRecord.write(store, key, next.state, { ifMatch: etag })) === null) return null;
  await jobs.send('deliver', next.job, { group: next.job.domain });
  return { outcome: 'queued' };
}
