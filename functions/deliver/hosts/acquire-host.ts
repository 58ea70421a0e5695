// A host to ask, acquired before anything is claimed: the hosts of the job's domain, and a slot at the first that may be asked now. A
// host that is backed off, or has no slot free, is passed over; if there is no other, the job waits on the queue.
import { createHash } from 'node:crypto';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import {
  connectionLimit,
  destinationOf,
  readDestination,
  shownBackOff,
} from '#functions/deliver/destination/back-off.ts';
import type { Slot } from '#functions/deliver/destination/slots.ts';
import { isBackedOff, type Unavailable } from '#functions/deliver/may-start.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import type { BackOff } from '#pipeline/contract/records/back-off.ts';
import { type FindHostsDeps, findHosts, type Hosts, type HostsFound } from './find-hosts.ts';
import type { Target } from './look-up-mx.ts';

type SlotDeps = Pick<DeliverDeps, 'store' | 'clock' | 'random' | 'memory' | 'leases'>;

/** A host that may be asked, with a slot that the caller releases. `mostConnections`: how many this process may have there now. */
export type HostSlot = {
  readonly target: Target;
  readonly destination: string;
  readonly slot: Slot;
  readonly mostConnections: () => number;
};

/** `rest`: the targets behind the chosen one; `passedOver`: those before it, in words. */
export type Choice =
  | ({ readonly outcome: 'host'; readonly rest: readonly Target[]; readonly passedOver: readonly string[] } & HostSlot)
  | ((Unavailable | { readonly outcome: 'none' }) & { readonly passedOver: readonly string[] });

/** `no-host`: the DNS names none, or not now. `group`: the fair-queue group of jobs for these hosts. */
export type AcquiredHost = { readonly group: string } & (
  | { readonly outcome: 'host'; readonly mailHosts: HostsFound; readonly choice: Choice & { outcome: 'host' } }
  | { readonly outcome: 'no-host'; readonly problem: Exclude<Hosts, HostsFound> }
  | Unavailable
);

/** What holds for all the choices that are made for one job. */
type SlotRules = {
  readonly config: Config;
  readonly job: DeliverJob;
  /** Slots that the job has already, by destination. */
  readonly held?: ReadonlyMap<string, Slot>;
};

/** A lookup that takes longer needs one of the slots for slow ones: DNS that does not answer must not take all workers. */
const quickLookupMs = 300;
const slowLookups = { destination: 'the DNS for domains that are slow to look up', limit: 20 };
const longestWaitMs = 900_000;
const longestGroup = 100;

/** Acquires it. Throws if the platform fails. */
export async function acquireHost(deps: FindHostsDeps, config: Config, job: DeliverJob): Promise<AcquiredHost> {
  const mailHosts = await lookUp(deps, config, job.domain);
  if (mailHosts === null) return { ...busyAt(deps, config, slowLookups), group: job.domain };
  if (mailHosts.outcome !== 'targets') return { outcome: 'no-host', problem: mailHosts, group: job.domain };
  const group = groupOf(config, mailHosts.targets);
  const choice = await acquireSlot(deps, mailHosts.targets, { config, job });
  if (choice.outcome === 'none') throw new Error(`no target among those of ${job.domain}`);
  return choice.outcome === 'host' ? { outcome: 'host', mailHosts, choice, group } : { ...choice, group };
}

/** A slot at the first of the targets that may be asked now. */
export async function acquireSlot(
  deps: SlotDeps,
  targets: readonly Target[],
  { config, job, held = new Map() }: SlotRules,
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
    if (isBackedOff(record, job, deps.clock())) {
      passedOver.push(shownBackOff(record));
      if (backedOff === null || record.until < backedOff.until) backedOff = record;
      continue;
    }
    const configured = config.delivery.connectionsPerDestination;
    const limit = slots.shareOf(destination, connectionLimit(refusals, destination, { record, configured }));
    const slot = held.get(destination) ?? (await acquireAt(deps, destination, limit));
    if (slot !== null) {
      const mostConnections = (): number => deps.leases?.held(destination) ?? configured;
      return {
        outcome: 'host',
        target,
        destination,
        slot,
        mostConnections,
        rest: targets.slice(index + 1),
        passedOver,
      };
    }
    busy ??= { destination, limit };
    passedOver.push(shownBusy(busy));
    if (!slots.isUnresponsive(destination)) busyPreference = Math.min(busyPreference, target.preference);
  }
  if (busy !== null) return { ...busyAt(deps, config, busy), passedOver };
  if (backedOff !== null) return { outcome: 'backed-off', backOff: backedOff, passedOver };
  return { outcome: 'none', passedOver };
}

/** A slot of this process and, where several deliver, a connection of those that they share. */
async function acquireAt(deps: SlotDeps, destination: string, limit: number): Promise<Slot | null> {
  const { leases, memory } = deps;
  if (leases === undefined) return memory.slots.acquire(destination, limit);
  const use = await leases.acquire(destination, limit);
  const slot = use === null ? null : memory.slots.acquire(destination, limit);
  if (use === null || slot === null) {
    use?.release();
    return null;
  }
  const release = (): void => {
    slot.release();
    use.release();
  };
  return { ...slot, release };
}

type Busy = { readonly destination: string; readonly limit: number };

/** Not for longer than a message that was deferred would wait, nor than SQS can. */
function busyAt(deps: Pick<SlotDeps, 'random' | 'memory' | 'leases'>, { delivery }: Config, busy: Busy): Unavailable {
  const { destination, limit } = busy;
  const longestMs = Math.min(longestWaitMs, Math.min(...delivery.retrySeconds) * 1_000);
  const { random, leases } = deps;
  const isShared = leases !== undefined && destination !== slowLookups.destination;
  const waitMs = isShared
    ? leases.waitMs(destination, { longestMs, random })
    : deps.memory.slots.waitMs(destination, { limit, longestMs, random });
  return { outcome: 'busy', waitMs, reason: shownBusy(busy) };
}

function shownBusy({ destination, limit }: Busy): string {
  return `waits for a free connection to ${destination}, which has as many deliveries under way as it may have (${limit})`;
}

/** The hosts; null if the DNS is slow and already keeps as many workers as it may. */
async function lookUp(deps: FindHostsDeps, config: Config, domain: string): Promise<Hosts | null> {
  const looking = findHosts(deps, config, domain);
  const timer = Promise.withResolvers<null>();
  const timeout = setTimeout(timer.resolve, quickLookupMs, null);
  const quick = await Promise.race([looking, timer.promise]).finally(() => clearTimeout(timeout));
  if (quick !== null) return quick;
  const slot = deps.memory.slots.acquire(slowLookups.destination, slowLookups.limit);
  if (slot === null) {
    // It goes on: the resolver remembers what it finds for when the job comes again.
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
