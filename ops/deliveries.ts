// Outbound mail: the `deliveries/` objects, newest first.
import { z } from 'zod';
import { problem } from '#mail/problem.ts';
import { json } from '#ops/api/answer.ts';
import { cursor, limit, messageId } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { parseDeliveryKey } from '#pipeline/contract/keys.ts';
import { type DeliveryState, deliveryRecord, deliveryStateSchema } from '#pipeline/contract/records/delivery.ts';
import type { DeliveryQuery } from './admin.ts';
import type { MailDeps } from './deps.ts';

/** `reason`: why it waits, or the reason of the last recipient that has one. `record`: the whole `deliveries/` object. */
export const shownDelivery = z.object({
  id: z.string(),
  domain: z.string(),
  state: deliveryStateSchema.shape.state,
  recipients: z.array(z.string()),
  attempts: z.number(),
  reason: z.string().nullable(),
  nextAttemptAt: z.string().nullable(),
  updatedAt: z.string(),
  record: deliveryStateSchema,
});

export type ShownDelivery = z.output<typeof shownDelivery>;

type Deps = Pick<MailDeps, 'admin' | 'store'>;

/** Objects read for one page if only one state is wanted: `next` leads on behind them. */
const maxRead = 1_000;

const { options: states } = deliveryStateSchema.shape.state;

/** Newest first. */
export const listDeliveries = useCase({
  about: 'outbound mail, newest first',
  takes: {
    state: z.enum(states, `one of ${states.join(', ')}`).optional(),
    id: messageId.optional(),
    limit,
    after: cursor((key) => (parseDeliveryKey(key) === null ? problem('no key of a delivery') : key)),
  },
  gives: z.object({ deliveries: z.array(shownDelivery), next: z.string().nullable() }),
  answer: async (deps: Deps, { state = null, id = null, limit: most, after = null }) =>
    json(await gather(deps, { state, id, limit: most, after })),
});

/** The deliveries of one message. */
export async function deliveriesOf(deps: Deps, id: string): Promise<readonly ShownDelivery[]> {
  return (await gather(deps, { state: null, id, limit: 500, after: null })).deliveries;
}

async function gather(
  { admin, store }: Deps,
  query: DeliveryQuery & { readonly state: string | null },
): Promise<{ deliveries: readonly ShownDelivery[]; next: string | null }> {
  const deliveries: ShownDelivery[] = [];
  let after = query.after;
  for (let read = 0; read < maxRead && deliveries.length < query.limit; ) {
    const page = await admin.deliveryKeys({ id: query.id, limit: query.limit - deliveries.length, after });
    for (const key of page.keys) {
      const about = parseDeliveryKey(key);
      const record = await deliveryRecord.find(store, key);
      if (about === null || record === null) continue;
      if (query.state === null || record.state === query.state) deliveries.push(show(about, record));
    }
    read += page.keys.length;
    after = page.next;
    if (after === null || page.keys.length === 0) break;
  }
  return { deliveries, next: after };
}

function show(about: { readonly id: string; readonly domain: string }, record: DeliveryState): ShownDelivery {
  return {
    ...about,
    state: record.state,
    recipients: record.recipients.map(({ forwardPath }) => forwardPath),
    attempts: record.attempts.length,
    reason: whyAsItIs(record),
    nextAttemptAt: record.next?.at ?? null,
    updatedAt: record.updatedAt,
    record,
  };
}

/** The reason of a dead letter is for operators: that of the recipients says only what the sender may know. */
function whyAsItIs({ state, next, recipients, givenUp }: DeliveryState): string | null {
  if (givenUp !== undefined) return `dead letter of queue ${givenUp.queue}: ${givenUp.reason}`;
  if (state === 'waiting' && next !== null) return next.reason;
  return recipients.findLast(({ reason }) => reason !== null)?.reason ?? next?.reason ?? null;
}
