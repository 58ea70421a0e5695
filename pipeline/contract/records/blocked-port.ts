// Whether the network lets mail out (port 25): the domains whose hosts did not answer, as all processes of the deliver stage saw them,
// and since when that is enough to say that the port is blocked. Health and the delivery of expired mail read it.
import { z } from 'zod';
import { blockedPortKey } from '#pipeline/contract/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { recordKind, timestamp } from './stored-record.ts';

const common = { port: z.int(), at: timestamp };

const blockedPortSchema = z.discriminatedUnion('schema', [
  /** Written by the version before, one process at a time, and only of a port that was blocked. */
  z.strictObject({ ...common, schema: z.literal('port-blocked/1'), since: timestamp, hosts: z.array(z.string()) }),
  z.strictObject({
    ...common,
    schema: z.literal('port-blocked/2'),
    /** From when the port counts as blocked, if no process connects until then; null: the evidence is not enough. */
    since: timestamp.nullable(),
    isReported: z.boolean(),
    timeouts: z.array(z.strictObject({ site: z.string(), ip: z.string(), at: timestamp })),
  }),
]);

type StoredBlockedPort = Readonly<z.infer<typeof blockedPortSchema>>;

/** What is known of the port. `site`: the last two labels of a domain whose hosts, `ip` the last of them, did not answer. */
export type PortEvidence = Extract<StoredBlockedPort, { schema: 'port-blocked/2' }>;

/** A port that is blocked: since when, when it was last seen so, and which sites did not answer. */
export type BlockedPort = {
  readonly port: number;
  readonly since: string;
  readonly at: string;
  readonly hosts: readonly string[];
};

/** There is one for the whole service. */
export const blockedPortRecord = recordKind(
  () => blockedPortKey,
  (json): PortEvidence => inNewForm(blockedPortSchema.parse(json)),
);

const holdsMs = 21_600_000;

/** Null if the evidence is not enough, does not count yet, or is more than six hours old. */
export function blockedPort(evidence: PortEvidence | null, now: number): BlockedPort | null {
  if (evidence === null || evidence.since === null) return null;
  const { port, since, at, timeouts } = evidence;
  if (now - Date.parse(at) >= holdsMs || now < Date.parse(since)) return null;
  return { port, since, at, hosts: timeouts.map(({ site }) => site) };
}

/** Null if the port is not blocked, or no process has found it blocked for six hours. */
export async function readBlockedPort(deps: {
  readonly store: Pick<ObjectStore, 'get'>;
  readonly clock: Clock;
}): Promise<BlockedPort | null> {
  const stored = await blockedPortRecord.read(deps.store, blockedPortKey);
  return blockedPort(stored?.record ?? null, deps.clock());
}

function inNewForm(stored: StoredBlockedPort): PortEvidence {
  if (stored.schema === 'port-blocked/2') return stored;
  const { hosts, ...kept } = stored;
  const timeouts = hosts.map((site) => ({ site, ip: site, at: stored.at }));
  return { ...kept, schema: 'port-blocked/2', isReported: true, timeouts };
}
