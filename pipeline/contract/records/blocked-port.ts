// What is stored while the network lets no mail out (port 25): since when, and which hosts did not answer. The deliver stage
// writes it; health and the delivery of expired mail ask for it.
import { z } from 'zod';
import { blockedPortKey } from '#pipeline/contract/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { recordKind } from './stored-record.ts';

const timestamp = z.iso.datetime({ precision: 3 });

const blockedPortSchema = z.strictObject({
  schema: z.literal('port-blocked/1'),
  port: z.int(),
  since: timestamp,
  at: timestamp,
  hosts: z.array(z.string()),
});

/** See the file's head. */
export type BlockedPort = Readonly<z.infer<typeof blockedPortSchema>>;

/** There is one for the whole service. */
export const blockedPortRecord = recordKind({
  key: () => blockedPortKey,
  parse: (json): BlockedPort => blockedPortSchema.parse(json),
});

const holdsMs = 21_600_000;

/** The record if the port is blocked, as far as any process knows; null if it is not, or nobody has said so for six hours. */
export async function readBlockedPort({
  store,
  clock,
}: {
  readonly store: Pick<ObjectStore, 'get'>;
  readonly clock: Clock;
}): Promise<BlockedPort | null> {
  const record = (await blockedPortRecord.read(store, blockedPortKey))?.record ?? null;
  return record !== null && clock() - Date.parse(record.at) < holdsMs ? record : null;
}
