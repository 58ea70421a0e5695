// When a destination is backed off. A destination is one address of a mail host with its port, or the smarthost as a whole; domains
// that share a host share it. If one answers 421 or not at all, no mail goes to it for a while, twice as long after each failure.
// The record in the store tells other processes; this one asks its memory, and the store at most every half a minute.
import type { LRUCache } from 'lru-cache';
import type { Target } from '#functions/deliver/hosts/look-up-mx.ts';
import type { Config } from '#pipeline/config/config.ts';
import { smarthostDestination } from '#pipeline/contract/keys.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { type BackOff, backOffRecord } from '#pipeline/contract/records/back-off.ts';
import type { DestinationVerdict } from './judge-destination.ts';

type Known = {
  readonly record: BackOff | null;
  readonly readAt: number;
  /** Whether the store has this record too. */
  readonly isStored: boolean;
};

/** What this process knows, by destination. */
export type BackOffMemory = LRUCache<string, Known>;

/** Temporary refusals in a row, by destination: of the host's own making, and all of them. */
export type RefusalMemory = LRUCache<string, { readonly ofHost: number; readonly all: number }>;

type BackOffDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put' | 'delete'>;
  readonly clock: Clock;
  readonly memory: { readonly backOffs: BackOffMemory; readonly refusals: RefusalMemory };
  /** 0 to 1. */
  readonly random: () => number;
};

/** An attempt: when it began, and the schedule of single messages. */
type Tried = { readonly startedAt: number; readonly retrySeconds: readonly number[] };

const rereadMs = 30_000;
/** How long it is backed off after its first failure, and at most; shorter if it may only be greylisting. */
const waits = {
  failed: { firstMs: 60_000, longestMs: 1_800_000 },
  deferring: { firstMs: 10_000, longestMs: 300_000 },
  // Tried so often that the alarm, which counts a quarter of an hour, stays up until it is mended.
  'refuses-us': { firstMs: 60_000, longestMs: 480_000 },
} as const;

/** `deferring`: it talks, and defers everything. `refuses-us`: a relay does not send for us, whatever the message. */
export type Failure = { readonly reason: string; readonly kind?: keyof typeof waits };
const longestSpreadMs = 300_000;
/** Messages deferred in a row: for reasons of the host's own, after which it is backed off; */
const refusalsOfHost = 3;
/** for any reason (greylisting, mostly), after which it gets one connection at a time; */
const refusalsInAll = 10;
/** and after which it is backed off for a short time, unless the last was about a mailbox. */
const refusalsOfUnclearCause = 20;

/** The destination that a target is, or is part of. */
export function destinationOf({ delivery }: Config, { ip }: Pick<Target, 'ip'>): string {
  const { mode, smarthost, port } = delivery;
  return mode === 'smarthost' && smarthost !== null ? smarthostDestination(smarthost.host) : `${ip} port ${port}`;
}

/** How many connections a destination may have at once: one if it is in trouble, or defers everything. */
export function connectionLimit(
  refusals: RefusalMemory,
  destination: string,
  { record, configured }: { readonly record: BackOff | null; readonly configured: number },
): number {
  return record !== null || (refusals.get(destination)?.all ?? 0) >= refusalsInAll ? 1 : configured;
}

/** What is known of a destination; null if nothing is wrong with it. */
export async function readDestination(
  deps: Pick<BackOffDeps, 'store' | 'clock' | 'memory'>,
  destination: string,
): Promise<BackOff | null> {
  const known = deps.memory.backOffs.get(destination);
  if (known !== undefined && deps.clock() - known.readAt < rereadMs) return known.record;
  const record = (await backOffRecord.read(deps.store, backOffRecord.key(destination)))?.record ?? null;
  remember(deps, destination, { record, isStored: true });
  return record;
}

/** After a failure: all jobs of this process know it at once. Attempts that ran side by side count as one failure. */
export function noteFailure(
  deps: Pick<BackOffDeps, 'clock' | 'memory' | 'random'>,
  destination: string,
  failure: Tried & Failure,
): void {
  const before = deps.memory.backOffs.get(destination)?.record ?? null;
  const record = afterFailure(before, { ...failure, destination, now: deps.clock(), random: deps.random() });
  if (record !== before) remember(deps, destination, { record, isStored: false });
}

/** Makes known to other processes what this one noted of a destination, unless another has found it to be in trouble for longer. */
export async function publishFailure(deps: BackOffDeps, destination: string): Promise<void> {
  const noted = deps.memory.backOffs.get(destination);
  if (noted === undefined || noted.record === null || noted.isStored) return;
  const { record } = noted;
  remember(deps, destination, { record, isStored: true });
  const stored = await backOffRecord.change(deps.store, backOffRecord.key(destination), (before) =>
    before !== null && before.until > record.until ? before : record,
  );
  const isUnchanged = deps.memory.backOffs.get(destination)?.record === record;
  if (isUnchanged) remember(deps, destination, { record: stored ?? record, isStored: stored !== null });
}

/** After an attempt: what it showed of a destination, for this process and the others to know. */
export async function recordVerdict(
  deps: BackOffDeps,
  destination: string,
  { verdict, ...tried }: Tried & { readonly verdict: DestinationVerdict },
): Promise<void> {
  if (verdict.outcome === 'answered') return resetBackOff(deps, destination);
  if (verdict.outcome === 'failed') noteFailure(deps, destination, { ...tried, ...verdict });
  if (verdict.outcome === 'refused') noteRefusal(deps, destination, { verdict, ...tried });
  await publishFailure(deps, destination);
}

function noteRefusal(
  deps: BackOffDeps,
  destination: string,
  { verdict, ...tried }: Tried & { readonly verdict: Extract<DestinationVerdict, { outcome: 'refused' }> },
): void {
  const { because, reason } = verdict;
  const isOfHost = because === 'host';
  const before = deps.memory.refusals.get(destination) ?? { ofHost: 0, all: 0 };
  const { ofHost, all } = { ofHost: isOfHost ? before.ofHost + 1 : 0, all: before.all + 1 };
  deps.memory.refusals.set(destination, { ofHost, all });
  const isInTrouble = (deps.memory.backOffs.get(destination)?.record ?? null) !== null;
  if (ofHost >= refusalsOfHost || (isInTrouble && isOfHost)) {
    noteFailure(deps, destination, { ...tried, reason });
  } else if (all >= refusalsOfUnclearCause && because !== 'mailbox') {
    const said = `it put off ${all} messages in a row, the last one with: ${reason}`;
    noteFailure(deps, destination, { ...tried, reason: said, kind: 'deferring' });
  }
}

/** After an attempt at which the destination answered. Costs nothing if nothing was wrong with it. */
async function resetBackOff(deps: BackOffDeps, destination: string): Promise<void> {
  deps.memory.refusals.delete(destination);
  if ((deps.memory.backOffs.get(destination)?.record ?? null) === null) return;
  remember(deps, destination, { record: null, isStored: true });
  await deps.store.delete(backOffRecord.key(destination));
}

/** The record after one more failure. One that began before the last was known is the same failure, still going on. */
export function afterFailure(
  before: BackOff | null,
  failure: Failure & {
    readonly destination: string;
    readonly startedAt: number;
    readonly now: number;
    readonly random: number;
    /** The schedule of single messages: a destination is not backed off for longer than they would wait anyway. */
    readonly retrySeconds: readonly number[];
  },
): BackOff {
  const isSame = before !== null && failure.startedAt < Date.parse(before.at);
  if (isSame && failure.now < Date.parse(before.until)) return before;
  const failures = (before?.failures ?? 0) + (isSame ? 0 : 1);
  const wait = waits[failure.kind ?? 'failed'];
  const firstMs = Math.min(wait.firstMs, Math.min(...failure.retrySeconds) * 1_000);
  const longestMs = Math.min(wait.longestMs, Math.max(...failure.retrySeconds) * 1_000);
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

/** Why a destination is not asked, as a sentence. */
export function shownBackOff({ destination, until, reason }: BackOff): string {
  return `${destination} is backed off until ${until}: ${reason}`;
}

/** How far the messages of a destination that was backed off are spread when it is tried again: not all at once. */
export function spreadMs({ at, until }: Pick<BackOff, 'at' | 'until'>): number {
  return Math.min((Date.parse(until) - Date.parse(at)) / 2, longestSpreadMs);
}

function remember(
  { memory, clock }: Pick<BackOffDeps, 'memory' | 'clock'>,
  destination: string,
  known: Pick<Known, 'record' | 'isStored'>,
): void {
  memory.backOffs.set(destination, { ...known, readAt: clock() });
}
