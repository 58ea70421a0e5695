// Notices a network that lets no mail out: connections to several unrelated hosts time out and none succeeds. Cloud
// networks block port 25 until asked not to. It is reported as such, and while it lasts no mail is given up. All processes
// gather the evidence in one record by compare-and-set: one process alone may see a single host in an hour.
import type { Clock, Log, Metrics, ObjectStore } from '#pipeline/contract/ports.ts';
import {
  blockedPort,
  blockedPortRecord,
  type PortEvidence,
  readBlockedPort,
} from '#pipeline/contract/records/blocked-port.ts';
import type { HostTry } from '#pipeline/contract/records/delivery.ts';

/** What this process told the record, and when: which sites timed out, and that a connection came about. */
export type PortMemory = {
  timeouts: Map<string, number>;
  connectedAt: number | null;
  isBlocked: boolean;
};

type PortDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put' | 'delete'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly memory: { readonly port: PortMemory };
  readonly soleWorker?: boolean;
};

const unrelatedHosts = 3;
const windowMs = 3_600_000;
const mostTimeouts = 10;
/** A process writes the same at most so often. */
const tellMs = 60_000;
/** So long no other process must connect before the evidence counts: any that does deletes the record. */
const standsMs = 120_000;

/** A site, one of its hosts, and the port at which none answered. */
type TimedOut = { readonly site: string; readonly ip: string; readonly port: number };

/** What the connections of one attempt showed: one came about, or all timed out, or neither. */
type PortSign = 'connected' | 'timed-out' | 'neither';

/** What an attempt showed. A host that refused the connection was reached; a missing address family (IPv6, mostly) shows nothing. */
export function signOf(hosts: readonly Pick<HostTry, 'stage' | 'reason'>[]): PortSign {
  if (hosts.some(({ stage }) => stage !== 'connect')) return 'connected';
  const hasTimedOut = hosts.some(({ reason }) => /^no connection|ETIMEDOUT/.test(reason ?? ''));
  const isRefused = hosts.some(({ reason }) => /ECONNREFUSED|ECONNRESET/.test(reason ?? ''));
  return hasTimedOut && !isRefused ? 'timed-out' : 'neither';
}

/** Notes what an attempt at a destination showed, for all processes, and reports a change. */
export async function watchPort(
  deps: PortDeps,
  sign: PortSign,
  where: { readonly domain: string; readonly ip: string; readonly port: number },
): Promise<void> {
  if (sign === 'connected') await noteConnected(deps);
  if (sign === 'timed-out') await noteTimeout(deps, { ...where, site: siteOf(where.domain) });
}

/** Whether mail may not be given up now because the network lets none out; asks the store only for mail that expired. */
export async function isPortBlocked(deps: PortDeps): Promise<boolean> {
  return (await readBlockedPort(deps)) !== null;
}

/** Whatever the others saw, the port is open. */
async function noteConnected({ memory: { port }, store, clock, log }: PortDeps): Promise<void> {
  if (port.timeouts.size === 0 && port.connectedAt !== null && clock() - port.connectedAt < tellMs) return;
  await store.delete(blockedPortRecord.key());
  if (port.isBlocked) log.info('port-25-open-again');
  port.timeouts.clear();
  port.connectedAt = clock();
  port.isBlocked = false;
}

async function noteTimeout(
  { memory, store, clock, log, metrics, soleWorker }: PortDeps,
  seen: TimedOut,
): Promise<void> {
  const { timeouts } = memory.port;
  const now = clock();
  for (const [site, at] of timeouts) if (now - at >= tellMs) timeouts.delete(site);
  if (timeouts.has(seen.site)) return;
  let isFirstReport = false;
  const evidence = await blockedPortRecord.change(store, blockedPortRecord.key(), (before) => {
    const after = afterTimeout(before, { ...seen, now, standsMs: soleWorker === true ? 0 : standsMs });
    isFirstReport = after.isReported && before?.isReported !== true;
    return after;
  });
  timeouts.set(seen.site, now);
  const blocked = blockedPort(evidence, now);
  if (blocked === null) return;
  memory.port.isBlocked = true;
  metrics.count('port-25-blocked');
  if (isFirstReport) log.error('port-25-blocked', { port: blocked.port, hosts: blocked.hosts.join(' ') });
}

/** The evidence after one more site timed out. If it is enough it counts after `standsMs`. Pure. */
export function afterTimeout(
  before: PortEvidence | null,
  { site, ip, port, now, standsMs }: TimedOut & { readonly now: number; readonly standsMs: number },
): PortEvidence {
  const at = new Date(now).toISOString();
  const others = (before?.timeouts ?? []).filter((one) => one.site !== site && now - Date.parse(one.at) <= windowMs);
  const timeouts = [...others, { site, ip, at }].slice(-mostTimeouts);
  const isEnough = unrelated(timeouts) >= unrelatedHosts;
  // Mail that waits is tried every few hours only: what is known to be blocked stays so until a connection comes about.
  const since =
    blockedPort(before, now)?.since ?? (isEnough ? (before?.since ?? new Date(now + standsMs).toISOString()) : null);
  const after = { schema: 'port-blocked/2', port, since, at, isReported: false, timeouts } as const;
  return { ...after, isReported: blockedPort(after, now) !== null };
}

/** Two hosts of one site are one sign; the last two labels of the name identify a site well enough here. */
function siteOf(domain: string): string {
  return domain.split('.').slice(-2).join('.');
}

/** Many domains of one host are one sign, too. */
function unrelated(timeouts: PortEvidence['timeouts']): number {
  return Math.min(timeouts.length, new Set(timeouts.map(({ ip }) => ip)).size);
}
