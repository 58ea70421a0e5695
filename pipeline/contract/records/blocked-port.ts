// That the network lets no mail out (port 25): since when, and which hosts did not answer. The deliver stage writes it;
// health and the delivery of expired mail read it.
import { z } from 'zod';
import { blockedPortKey } from '#pipeline/contract/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { recordKind, timestamp } from './stored-record.ts';

const blockedPortSchema = z.strictObject({
  schema: z.literal('port-blocked/1'),
  port: z.int(),
  since: timestamp,
  at: timestamp,
  hosts: z.array(z.string()),
});

export type BlockedPort = Readonly<z.infer<typeof blockedPortSchema>>;

/** There is one for the whole service. */
export const blockedPortRecord = recordKind(
  () => blockedPortKey,
  (json): BlockedPort => blockedPortSchema.parse(json),
);

const holdsMs = 21_600_000;

/** Null if the port is not blocked, or no process has found it blocked for six hours. */
export async function readBlockedPort(deps: {
  readonly store: Pick<ObjectStore, 'get'>;
  readonly clock: Clock;
}): Promise<BlockedPort | null> {
  const record = (await blockedPortRecord.read(deps.store, blockedPortKey))?.record ?? null;
  return record !== null && deps.clock() - Date.parse(record.at) < holdsMs ? record : null;
}
