// What is stored of a destination that is backed off: no mail goes to it for a while. A destination is one address of a mail host
// with its port, or the smarthost as a whole. The deliver stage judges when to back off; its workers tell each other by this record.
import { z } from 'zod';
import { destinationKey } from '#pipeline/contract/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { recordKind } from './stored-record.ts';

const timestamp = z.iso.datetime({ precision: 3 });

const backOffSchema = z.strictObject({
  schema: z.literal('destination/1'),
  destination: z.string(),
  /** Failures in a row, the last of them at `at`. */
  failures: z.int().nonnegative(),
  at: timestamp,
  until: timestamp,
  reason: z.string(),
});

/** See the file's head. */
export type BackOff = Readonly<z.infer<typeof backOffSchema>>;

/** By the destination's name. */
export const backOffRecord = recordKind({ key: destinationKey, parse: (json): BackOff => backOffSchema.parse(json) });

/** The record of a destination that is backed off right now; null if it is not. */
export async function readBackedOff(
  { store, clock }: { readonly store: Pick<ObjectStore, 'get'>; readonly clock: Clock },
  destination: string,
): Promise<BackOff | null> {
  const stored = await backOffRecord.read(store, backOffRecord.key(destination));
  return stored !== null && Date.parse(stored.record.until) > clock() ? stored.record : null;
}
