// How a destination as a whole is doing. A host that says 421 or nothing at all is not asked again for every message:
// the destination is left alone for a while, doubling with each failure, and the messages for it wait without a connection.
// The record in the store tells other processes; this one asks its memory, and the store at most every half a minute.

import { z } from 'zod';
import { destinationKey } from '#pipeline/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/ports.ts';
import { readBody } from '#pipeline/read-body.ts';

const timestamp = z.iso.datetime({ precision: 3 });

/** `destinations/<domain>.json`: left alone until `until`, after `failures` failed attempts in a row, the last of them at `at`. */
export const destinationSchema = z.strictObject({
  schema: z.literal('destination/1'),
  destination: z.string(),
  failures: z.int().nonnegative(),
  at: timestamp,
  until: timestamp,
  reason: z.string(),
});

export type Destination = Readonly<z.infer<typeof destinationSchema>>;

/** What this process knows, by destination. */
export type DestinationMemory = Map<string, { readonly record: Destination | null; readonly readAt: number }>;

export type DestinationDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put' | 'delete'>;
  readonly clock: Clock;
  readonly memory: DestinationMemory;
  readonly random: () => number;
};

const rereadMs = 30_000;
const firstWaitMs = 60_000;
const longestWaitMs = 1_800_000;
const longestSpreadMs = 300_000;
const maxRemembered = 10_000;

/** The destination of all mail where it goes to one smarthost. */
export function smarthostDestination(host: string): string {
  return `smarthost ${host}`;
}

/** What is known of a destination; null where nothing is wrong with it. */
export async function readDestination(deps: DestinationDeps, destination: string): Promise<Destination | null> {
  const known = deps.memory.get(destination);
  if (known !== undefined && deps.clock() - known.readAt < rereadMs) return known.record;
  const record = await readStored(deps.store, destination);
  remember(deps, destination, record);
  return record;
}

/** For people: the record of a destination that is left alone right now, as the store has it; null where it is not. */
export async function readLeftAlone(
  { store, clock }: { readonly store: Pick<ObjectStore, 'get'>; readonly clock: Clock },
  destination: string,
): Promise<Destination | null> {
  const record = await readStored(store, destination);
  return record !== null && Date.parse(record.until) > clock() ? record : null;
}

async function readStored(store: Pick<ObjectStore, 'get'>, destination: string): Promise<Destination | null> {
  const stored = await store.get(destinationKey(destination));
  return stored === null ? null : parseDestination((await readBody(stored.body)).toString('utf8'));
}

/** After an attempt at which the destination as a whole failed. Attempts that ran side by side count as one failure. */
export async function backOff(
  deps: DestinationDeps,
  destination: string,
  failure: { readonly startedAt: number; readonly reason: string; readonly retrySeconds: readonly number[] },
): Promise<void> {
  const before = await readDestination(deps, destination);
  const record = afterFailure(before, { ...failure, destination, now: deps.clock(), random: deps.random() });
  if (record === before) return;
  remember(deps, destination, record);
  await deps.store.put({
    key: destinationKey(destination),
    body: Buffer.from(JSON.stringify(record)),
    contentType: 'application/json',
  });
}

/** After an attempt at which the destination answered: all is forgiven. Costs nothing where nothing was wrong. */
export async function forgive(deps: DestinationDeps, destination: string): Promise<void> {
  if ((deps.memory.get(destination)?.record ?? null) === null) return;
  remember(deps, destination, null);
  await deps.store.delete(destinationKey(destination));
}

/** The record after one more failure; the same one where the attempt began before the last failure was known. */
export function afterFailure(
  before: Destination | null,
  failure: {
    readonly destination: string;
    readonly startedAt: number;
    readonly now: number;
    readonly reason: string;
    readonly random: number;
    /** The schedule of single messages: a destination is not left alone for longer than they would wait anyway. */
    readonly retrySeconds: readonly number[];
  },
): Destination {
  if (before !== null && failure.startedAt < Date.parse(before.at)) return before;
  const failures = (before?.failures ?? 0) + 1;
  const firstMs = Math.min(firstWaitMs, Math.min(...failure.retrySeconds) * 1_000);
  const longestMs = Math.min(longestWaitMs, Math.max(...failure.retrySeconds) * 1_000);
  const waitMs = Math.min(firstMs * 2 ** (failures - 1), longestMs) * (0.9 + 0.2 * failure.random);
  return {
    schema: 'destination/1',
    destination: failure.destination,
    failures,
    at: new Date(failure.now).toISOString(),
    until: new Date(failure.now + waitMs).toISOString(),
    reason: failure.reason,
  };
}

/** How far the messages of a destination that was left alone are spread when it is tried again: not all at once. */
export function spreadMs({ at, until }: Pick<Destination, 'at' | 'until'>): number {
  return Math.min((Date.parse(until) - Date.parse(at)) / 2, longestSpreadMs);
}

function remember({ memory, clock }: DestinationDeps, destination: string, record: Destination | null): void {
  memory.delete(destination);
  memory.set(destination, { record, readAt: clock() });
  const oldest = memory.keys().next();
  if (memory.size > maxRemembered && oldest.done !== true) memory.delete(oldest.value);
}

function parseDestination(text: string): Destination | null {
  return destinationSchema.parse(JSON.parse(text));
}
