// The way for a job, found before anything is claimed: the hosts of its domain, and the first of them that may be asked now. A host
// that is backed off, or has all the connections it may have, is passed over or waited for, without a worker and without a connection.
import { createHash } from 'node:crypto';
import {
  connectionLimit,
  destinationOf,
  readDestination,
  shownBackOff,
} from '#functions/deliver/destination/back-off.ts';
import type { Slot } from '#functions/deliver/destination/slots.ts';
import type { WorkerMemory } from '#functions/deliver/worker-memory.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import type { BackOff } from '#pipeline/contract/records/back-off.ts';
import { atOnce } from '#pipeline/contract/records/delivery.ts';
import { type FindHostsDeps, findHosts, type Hosts, type HostsFound } from './find-hosts.ts';
import type { Target } from './find-mail-hosts.ts';

export type WayDeps = FindHostsDeps & {
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly memory: WorkerMemory;
};

/** A host that may be asked: its slot is taken, and given back by whoever asked it. */
export type Place = { readonly target: Target; readonly destination: string; readonly slot: Slot };

/** No host may be asked now: all are backed off (`record` is the one that ends first), or one has all it may have. */
export type NoPlace =
  | { readonly outcome: 'backed-off'; readonly record: BackOff }
  | { readonly outcome: 'busy'; readonly waitMs: number; readonly reason: string };

/** `rest`: the targets behind the chosen one; `passedOver`: those before it, in words. */
export type Choice =
  | ({ readonly outcome: 'place'; readonly rest: readonly Target[]; readonly passedOver: readonly string[] } & Place)
  | ((NoPlace | { readonly outcome: 'none' }) & { readonly passedOver: readonly string[] });

/** `no-host`: the DNS gives none to ask. `group`: the fair-queue group of jobs for these hosts. */
export type Way =
  | {
      readonly outcome: 'place';
      readonly routes: HostsFound;
      readonly choice: Choice & { outcome: 'place' };
      readonly group: string;
    }
  | { readonly outcome: 'no-host'; readonly routes: Exclude<Hosts, HostsFound> }
  | (NoPlace & { readonly group: string });

/** What holds for all the choices that are made for one job. */
export type ChoiceRules = {
  readonly config: Config;
  /** A person wants it tried now: what is backed off is asked all the same. */
  readonly isAtOnce: boolean;
  /** Slots that the job has already, by destination. */
  readonly held?: ReadonlyMap<string, Slot>;
};

/** A lookup that takes longer needs one of the places for slow ones: DNS that does not answer must not take all workers. */
const quickLookupMs = 300;
const slowLookups = { destination: 'a DNS that takes its time', limit: 20 };
const longestWaitMs = 900_000;
const longestGroup = 100;

/** Finds it. Throws where the platform fails. */
export async function findWay(deps: WayDeps, config: Config, job: DeliverJob): Promise<Way> {
  const routes = await lookUp(deps, config, job.domain);
  if (routes === null) return { ...busyAt(deps, config, slowLookups), group: job.domain };
  if (routes.outcome !== 'targets') return { outcome: 'no-host', routes };
  const group = groupOf(config, routes.targets);
  const choice = await choosePlace(deps, routes.targets, { config, isAtOnce: job.notBefore === atOnce });
  switch (choice.outcome) {
    case 'place':
      return { outcome: 'place', routes, choice, group };
    case 'busy':
      return { outcome: 'busy', waitMs: choice.waitMs, reason: choice.reason, group };
    case 'backed-off':
      return { outcome: 'backed-off', record: choice.record, group };
    case 'none':
      throw new Error(`no target among those of ${job.domain}`);
  }
}

/** The first of the targets that may be asked now. */
export async function choosePlace(
  deps: Pick<WayDeps, 'store' | 'clock' | 'random' | 'memory'>,
  targets: readonly Target[],
  { config, isAtOnce, held = new Map() }: ChoiceRules,
): Promise<Choice> {
  const { slots, refusals } = deps.memory;
  const passedOver: string[] = [];
  let backedOff: BackOff | null = null;
  let busy: Busy | null = null;
  let busyPreference = Number.POSITIVE_INFINITY;
  for (const [index, target] of targets.entries()) {
    // Behind a host that only has no slot free come others of its preference, not those meant for when it is down.
    if (target.preference > busyPreference) break;
    const destination = destinationOf(config, target);
    const record = await readDestination(deps, destination);
    if (record !== null && Date.parse(record.until) > deps.clock() && !isAtOnce) {
      passedOver.push(shownBackOff(record));
      if (backedOff === null || record.until < backedOff.until) backedOff = record;
      continue;
    }
    const configured = config.delivery.connectionsPerDestination;
    const limit = slots.shareOf(destination, connectionLimit(refusals, destination, { record, configured }));
    const slot = held.get(destination) ?? slots.acquire(destination, limit);
    if (slot !== null) {
      return { outcome: 'place', target, destination, slot, rest: targets.slice(index + 1), passedOver };
    }
    busy ??= { destination, limit };
    passedOver.push(shownBusy(busy));
    if (!slots.isUnresponsive(destination)) busyPreference = Math.min(busyPreference, target.preference);
  }
  if (busy !== null) return { ...busyAt(deps, config, busy), passedOver };
  if (backedOff !== null) return { outcome: 'backed-off', record: backedOff, passedOver };
  return { outcome: 'none', passedOver };
}

type Busy = { readonly destination: string; readonly limit: number };

/** Not for longer than a message that was deferred would wait, nor than SQS can. */
function busyAt(deps: Pick<WayDeps, 'random' | 'memory'>, { delivery }: Config, busy: Busy): NoPlace {
  const { destination, limit } = busy;
  const longestMs = Math.min(longestWaitMs, Math.min(...delivery.retrySeconds) * 1_000);
  const waitMs = deps.memory.slots.waitMs(destination, { limit, longestMs, random: deps.random });
  return { outcome: 'busy', waitMs, reason: shownBusy(busy) };
}

function shownBusy({ destination, limit }: Busy): string {
  return `${destination} has as many deliveries under way as it may have (${limit})`;
}

/** The routes; null where the DNS takes its time and already keeps as many workers as it may. */
async function lookUp(deps: WayDeps, config: Config, domain: string): Promise<Hosts | null> {
  const looking = findHosts(deps, config, domain);
  const timer = Promise.withResolvers<null>();
  const timeout = setTimeout(timer.resolve, quickLookupMs, null);
  const quick = await Promise.race([looking, timer.promise]).finally(() => clearTimeout(timeout));
  if (quick !== null) return quick;
  const slot = deps.memory.slots.acquire(slowLookups.destination, slowLookups.limit);
  if (slot === null) {
    // It goes on all the same: what it finds is remembered for when the job comes again.
    looking.catch(() => undefined);
    return null;
  }
  return looking.finally(slot.release);
}

/** Domains with the same hosts are one group of a fair queue: they share what these hosts take. */
function groupOf(config: Config, targets: readonly Target[]): string {
  const hosts = [...new Set(targets.map((target) => destinationOf(config, target)))].sort().join(', ');
  return hosts.length <= longestGroup ? hosts : createHash('sha256').update(hosts).digest('hex');
}
