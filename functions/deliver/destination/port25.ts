// Notices a network that lets no mail out: connections to several unrelated hosts time out and none succeeds. Cloud
// networks block port 25 until asked not to. It is reported as such, and while it lasts no mail is given up.
import type { DeliverDeps } from '#functions/deliver/deliver.ts';
import { blockedPortRecord, readBlockedPort } from '#pipeline/contract/records/blocked-port.ts';
import type { HostTry } from '#pipeline/contract/records/delivery.ts';

/** What this process saw: domains whose hosts timed out (when, and the last of them), the last connection that came about. */
export type PortMemory = {
  timeouts: Map<string, { readonly at: number; readonly ip: string }>;
  lastSuccessAt: number | null;
  blockedSince: number | null;
};

type PortDeps = Pick<DeliverDeps, 'store' | 'clock' | 'log' | 'metrics' | 'memory'>;

const unrelatedHosts = 3;
const windowMs = 3_600_000;

/** What the connections of one attempt showed: one came about, or all timed out, or neither. */
type PortSign = 'connected' | 'timed-out' | 'neither';

/** What an attempt showed. A host that refused the connection was reached; a missing address family (IPv6, mostly) shows nothing. */
export function signOf(hosts: readonly Pick<HostTry, 'stage' | 'reason'>[]): PortSign {
  if (hosts.some(({ stage }) => stage !== 'connect')) return 'connected';
  const hasTimedOut = hosts.some(({ reason }) => /^no connection|ETIMEDOUT/.test(reason ?? ''));
  const isRefused = hosts.some(({ reason }) => /ECONNREFUSED|ECONNRESET/.test(reason ?? ''));
  return hasTimedOut && !isRefused ? 'timed-out' : 'neither';
}

/** Notes what an attempt at a destination showed, and reports a change. */
export async function watchPort(
  deps: PortDeps,
  sign: PortSign,
  where: { readonly domain: string; readonly ip: string; readonly port: number },
): Promise<void> {
  const { memory, clock, metrics } = deps;
  if (sign === 'neither') return;
  if (sign === 'connected') return openAgain(deps);
  const { timeouts } = memory.port;
  timeouts.set(siteOf(where.domain), { at: clock(), ip: where.ip });
  for (const [site, { at }] of timeouts) if (clock() - at > windowMs) timeouts.delete(site);
  if (unrelated(timeouts) < unrelatedHosts) return;
  metrics.count('port-25-blocked');
  await reportBlocked(deps, where.port);
}

/** Whether mail may not be given up now because the network lets none out; asks the store only for mail that expired. */
export async function isPortBlocked(deps: PortDeps): Promise<boolean> {
  if (deps.memory.port.blockedSince !== null) return true;
  return (await readBlockedPort(deps)) !== null;
}

async function openAgain({ memory: { port }, store, clock, log }: PortDeps): Promise<void> {
  const isFirst = port.lastSuccessAt === null;
  port.timeouts.clear();
  port.lastSuccessAt = clock();
  // The first connection of a process also clears what one before it left behind.
  if (port.blockedSince === null && !isFirst) return;
  if (port.blockedSince !== null) log.info('port-25-open-again');
  port.blockedSince = null;
  await store.delete(blockedPortRecord.key());
}

async function reportBlocked({ memory, store, clock, log }: PortDeps, port: number): Promise<void> {
  const seen = memory.port;
  const hosts = [...seen.timeouts.keys()].slice(0, 10);
  if (seen.blockedSince === null) log.error('port-25-blocked', { port, hosts: hosts.join(' ') });
  seen.blockedSince ??= clock();
  const since = new Date(seen.blockedSince).toISOString();
  const at = new Date(clock()).toISOString();
  await blockedPortRecord.write(store, blockedPortRecord.key(), { schema: 'port-blocked/1', port, since, at, hosts });
}

/** Two hosts of one site are one sign; the last two labels of the name identify a site well enough here. */
function siteOf(domain: string): string {
  return domain.split('.').slice(-2).join('.');
}

/** Many domains of one host are one sign, too. */
function unrelated(timeouts: PortMemory['timeouts']): number {
  return Math.min(timeouts.size, new Set([...timeouts.values()].map(({ ip }) => ip)).size);
}
