// A destination that is backed off: no mail goes to it for a while. A destination is one address of a mail host with its
// port, or the smarthost as a whole. The deliver stage judges when to back off; its workers share that by this record.
import { z } from 'zod';
import { destinationKey } from '#pipeline/contract/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { recordKind, timestamp } from './stored-record.ts';

const backOffSchema = z.strictObject({
  schema: z.literal('destination/1'),
  destination: z.string(),
  /** Failures in a row, the last of them at `at`. */
  failures: z.int().nonnegative(),
  at: timestamp,
  until: timestamp,
  reason: z.string(),
});

export type BackOff = Readonly<z.infer<typeof backOffSchema>>;

/** By the destination's name. */
export const backOffRecord = recordKind(destinationKey, (json): BackOff => backOffSchema.parse(json));

/** Null if the destination is not backed off now. */
export async function readBackedOff(
  { store, clock }: { readonly store: Pick<ObjectStore, 'get'>; readonly clock: Clock },
  destination: string,
): Promise<BackOff | null> {
  const stored = await backOffRecord.read(store, backOffRecord.key(destination));
  return stored !== null && Date.parse(stored.record.until) > clock() ? stored.record : null;
}
