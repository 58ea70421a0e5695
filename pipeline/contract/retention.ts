// How long stored objects are kept: on AWS by lifecycle rules of the bucket, on one machine by the embedded store's sweep.
import type { KeyPrefix } from './keys.ts';

/** Set by options of the deployment on AWS, by `retention` of the configuration on one machine. */
export type Retention = { readonly rawDays: number; readonly inboxDays: number; readonly deliveriesDays: number };

export const defaultRetention: Retention = { rawDays: 30, inboxDays: 30, deliveriesDays: 90 };

/** `delivery.expireSeconds` if nothing else is configured: five days. */
export const defaultExpireSeconds = 432_000;

/** How long a hook is tried: a day. */
export const hookTriedMs = 86_400_000;

/** How long a configuration that was replaced can be restored: its object is written once more when it is replaced. */
export const configHistoryDays = 365;

const verdictDays = 15; // a job is on its queue for 14 days at most
const destinationDays = 7; // a back-off lasts half an hour, a policy is fetched again each day

/** Days by folder; what is not here is kept. Raw mail is kept a day longer than it may have to be delivered, whatever was set. */
export function daysKept(
  given: { readonly [Name in keyof Retention]?: number | undefined },
  expireSeconds: number,
): Readonly<Partial<Record<KeyPrefix, number>>> {
  const { rawDays, inboxDays, deliveriesDays } = defaultRetention;
  const kept = given.inboxDays ?? inboxDays;
  return {
    'raw/': Math.max(given.rawDays ?? rawDays, Math.ceil(expireSeconds / 86_400) + 1),
    'verdicts/': verdictDays,
    'inbox/': kept,
    'quarantine/': kept,
    'attachments/': kept,
    'marks/': kept,
    'deliveries/': given.deliveriesDays ?? deliveriesDays,
    'destinations/': destinationDays,
  };
}
