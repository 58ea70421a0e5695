// Which process may have how many connections to a destination, and until when: the processes of a deployment share its limit by
// compare-and-set on this record. A lease that ran out does not count, so those of a process that died free themselves.
import { z } from 'zod';
import { connectionLeasesKey } from '#pipeline/contract/keys.ts';
import { recordKind, timestamp } from './stored-record.ts';

const connectionLeasesSchema = z.strictObject({
  schema: z.literal('connection-leases/1'),
  destination: z.string(),
  leases: z.array(
    z.strictObject({ owner: z.string(), connections: z.int().positive(), since: timestamp, until: timestamp }),
  ),
});

export type ConnectionLeases = Readonly<z.infer<typeof connectionLeasesSchema>>;

/** By the destination's name. */
export const connectionLeasesRecord = recordKind(
  connectionLeasesKey,
  (json): ConnectionLeases => connectionLeasesSchema.parse(json),
);
