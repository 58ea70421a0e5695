// Outbound mail: the `deliveries/` objects newest first, and one made due now.

import { type Answer, badParameter, isAnswer, json, refusal } from '#ops/api/answer.ts';
import { readId, readLimit, readQuery } from '#ops/api/parameters.ts';
import type { MailRouteDeps } from '#ops/api/routes.ts';
import { parseDeliveryKey } from '#pipeline/contract/keys.ts';
import { type DeliveryState, deliveryRecord, deliveryStateSchema } from '#pipeline/contract/records/delivery.ts';

/** A line of the list; `record` is the whole `deliveries/` object (pipeline/contract/records/delivery.ts). */
export type ShownDelivery = {
  readonly id: string;
  readonly domain: string;
  readonly state: string;
  readonly recipients: readonly string[];
  readonly attempts: number;
  /** Why it is as it is: what it waits for; else what the last recipient that has a reason was told. */
  readonly reason: string | null;
  readonly nextAttemptAt: string | null;
  readonly updatedAt: string;
  readonly record: DeliveryState;
};

/** Objects read for one page where a state is looked for: `next` leads on behind them. */
const maxRead = 1_000;

/** `GET /api/deliveries?state=&id=&limit=&after=` */
export async function listDeliveries(
  deps: Pick<MailRouteDeps, 'admin' | 'store'>,
  query: URLSearchParams,
): Promise<Answer> {
  const given = readQuery(query, ['state', 'id', 'limit', 'after']);
  if (isAnswer(given)) return given;
  const limit = readLimit(given['limit']);
  if (isAnswer(limit)) return limit;
  const id = given['id'] === undefined ? null : readId(given['id']);
  if (isAnswer(id)) return id;
  const state = given['state'] ?? null;
  if (state !== null && !deliveryStateSchema.shape.state.safeParse(state).success) {
    return badParameter('state', `one of ${deliveryStateSchema.shape.state.options.join(', ')}`);
  }
  const after = given['after'] ?? null;
  if (after !== null && parseDeliveryKey(after) === null) return badParameter('after', 'the "next" of the page before');
  return json(await gather(deps, { state, id, limit, after }));
}

/** The deliveries of one message. */
export async function deliveriesOf(
  deps: Pick<MailRouteDeps, 'admin' | 'store'>,
  id: string,
): Promise<readonly ShownDelivery[]> {
  return (await gather(deps, { state: null, id, limit: 500, after: null })).deliveries;
}

/** `POST /api/deliveries/ID/DOMAIN/retry` */
export async function retryOne(
  retryDelivery: MailRouteDeps['retryDelivery'],
  wanted: { readonly id: string | undefined; readonly domain: string | undefined; readonly query: URLSearchParams },
): Promise<Answer> {
  const id = readId(wanted.id);
  if (isAnswer(id)) return id;
  const given = readQuery(wanted.query, []);
  if (isAnswer(given)) return given;
  const { domain = '' } = wanted;
  const retried = await retryDelivery({ id, domain: domain.toLowerCase() });
  switch (retried.outcome) {
    case 'queued':
      return json({ id, domain: domain.toLowerCase(), outcome: 'queued' }, 202);
    case 'not-found':
      return refusal(404, 'not-found', `no delivery of ${id} to ${domain}`);
    case 'not-waiting':
      return refusal(409, 'not-waiting', retried.reason);
  }
}

async function gather(
  { admin, store }: Pick<MailRouteDeps, 'admin' | 'store'>,
  query: {
    readonly state: string | null;
    readonly id: string | null;
    readonly limit: number;
    readonly after: string | null;
  },
): Promise<{ deliveries: readonly ShownDelivery[]; next: string | null }> {
  const deliveries: ShownDelivery[] = [];
  let after = query.after;
  for (let read = 0; read < maxRead && deliveries.length < query.limit; ) {
    const page = await admin.deliveryKeys({ id: query.id, limit: query.limit - deliveries.length, after });
    for (const key of page.keys) {
      const about = parseDeliveryKey(key);
      const record = (await deliveryRecord.read(store, key, () => null))?.record ?? null;
      if (about === null || record === null) continue;
      if (query.state === null || record.state === query.state) deliveries.push(shownDelivery(about, record));
    }
    read += page.keys.length;
    after = page.next;
    if (after === null || page.keys.length === 0) break;
  }
  return { deliveries, next: after };
}

function shownDelivery(about: { readonly id: string; readonly domain: string }, record: DeliveryState): ShownDelivery {
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

/** What was given up was so for a fault of ours: the recipients' own reason says no more than the sender may know. */
function whyAsItIs({ state, next, recipients, givenUp }: DeliveryState): string | null {
  if (givenUp !== undefined) return `given up on queue ${givenUp.queue}: ${givenUp.reason}`;
  if (state === 'waiting' && next !== null) return next.reason;
  return recipients.findLast(({ reason }) => reason !== null)?.reason ?? next?.reason ?? null;
}
