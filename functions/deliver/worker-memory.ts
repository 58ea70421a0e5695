// What one worker process remembers between jobs. Made once. It holds no connections: those are in smtp/connection-pool.ts.
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { BackOffMemory, RefusalMemory } from '#functions/deliver/destination/back-off.ts';
import type { PortMemory } from '#functions/deliver/destination/port25.ts';
import { createSlots, type Slots } from '#functions/deliver/destination/slots.ts';
import type { PolicyMemory } from '#functions/deliver/hosts/mta-sts.ts';
import type { KeyCache } from '#functions/deliver/message/signing-keys.ts';
import { type AcceptedCounts, createAcceptedCounts } from '#functions/deliver/outcome/suppress.ts';
import { boundedTable } from '#pipeline/run/bounded-table.ts';

export type WorkerMemory = {
  /** Names this process in leases. */
  readonly owner: string;
  /** Keys of the deliveries that this process is at right now. */
  readonly underWay: Set<string>;
  readonly slots: Slots;
  readonly backOffs: BackOffMemory;
  readonly refusals: RefusalMemory;
  /** How many recipients each domain took: whether it is believed that an address does not exist (outcome/suppress.ts). */
  readonly accepted: AcceptedCounts;
  readonly port: PortMemory;
  readonly policies: PolicyMemory;
  readonly keys: KeyCache;
};

/** Destinations, and domains with a policy; of more, those used last. */
const maxRemembered = 10_000;

/** The memory of a process that has just started. */
export function createWorkerMemory(): WorkerMemory {
  return {
    owner: randomUUID(),
    underWay: new Set(),
    slots: createSlots(),
    backOffs: new LRUCache(boundedTable(maxRemembered)),
    refusals: new LRUCache(boundedTable(maxRemembered)),
    accepted: createAcceptedCounts(),
    port: { timeouts: new Map(), connectedAt: null, isBlocked: false },
    policies: new LRUCache(boundedTable(maxRemembered)),
    keys: new Map(),
  };
}
