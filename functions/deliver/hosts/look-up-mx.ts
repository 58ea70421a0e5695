// Which hosts take the mail of a domain, in which order: MX by preference with equals shuffled, the domain itself if it has none
// (RFC 5321 §5.1), none with a null MX (RFC 7505). A domain that does not exist is final; a DNS that does not answer is not. Hosts in
// private networks are refused, so that a domain of somebody else cannot make us connect to our own network.
import { isIPv4, isIPv6 } from 'node:net';
import { isPrivate } from '#mail/address/private-address.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { type DnsErrorCode, dnsErrorCode, isTemporaryDnsError } from '#pipeline/dns/answer.ts';

/** One address of one host to try; `preference` of its MX record (0 if there was none). */
export type Target = { readonly host: string; readonly ip: string; readonly preference: number };

/**
 * `targets`: in the order to try them, never none. `permanent`: no mail can ever go there, with the enhanced status
 * (RFC 3463). `later`: could not be found out now.
 */
export type MailHosts =
  | { readonly outcome: 'targets'; readonly targets: readonly Target[] }
  | { readonly outcome: 'permanent'; readonly status: string; readonly reason: string }
  | { readonly outcome: 'later'; readonly reason: string };

export type LookUpDeps = { readonly resolve: Resolve; readonly random: () => number };

/** `hostname`: ours; what has the same or a worse preference than ourselves is not for us to send to (RFC 5321 §5.1). */
export type LookUpPolicy = { readonly hostname: string; readonly allowPrivateTargets: boolean };

type Exchange = { readonly host: string; readonly preference: number };
type Exchanges =
  | { readonly outcome: 'exchanges'; readonly exchanges: readonly Exchange[]; readonly isImplicit: boolean }
  | Exclude<MailHosts, { outcome: 'targets' }>;
type Addresses = { readonly addresses: readonly string[]; readonly failure: 'none' | 'no-such-name' | 'temporary' };

const maxTargets = 12;
const maxHosts = 10;
const maxAliases = 8;

/** Finds the mail hosts of a domain (A-label form) or an address literal. Never throws for what the DNS does. */
export async function lookUpMx(deps: LookUpDeps, domain: string, policy: LookUpPolicy): Promise<MailHosts> {
  const literal = addressOfLiteral(domain);
  if (literal !== null) return chooseTargets([{ host: literal, ip: literal, preference: 0 }], policy);
  const found = await findExchanges(deps, domain, policy.hostname);
  if (found.outcome !== 'exchanges') return found;
  const exchanges = orderExchanges(found.exchanges, deps.random).slice(0, maxHosts);
  const resolved = await Promise.all(exchanges.map(({ host }) => findAddresses(deps.resolve, host)));
  const targets = exchanges.flatMap(({ host, preference }, index) =>
    (resolved[index]?.addresses ?? []).map((ip) => ({ host, ip, preference })),
  );
  if (targets.length > 0) return chooseTargets(targets, policy);
  return noAddresses(domain, resolved, found.isImplicit);
}

/** The addresses of one host that is configured by hand (a smarthost): a name or an IP address, private or not. */
export async function lookUpHost(deps: LookUpDeps, host: string): Promise<MailHosts> {
  const ip = host === 'localhost' ? '127.0.0.1' : host.replace(/^\[(IPv6:)?|\]$/gi, '');
  if (isIPv4(ip) || isIPv6(ip)) return { outcome: 'targets', targets: [{ host, ip, preference: 0 }] };
  const { addresses } = await findAddresses(deps.resolve, host);
  if (addresses.length === 0) return { outcome: 'later', reason: `the smarthost ${host} is not found in the DNS` };
  return { outcome: 'targets', targets: addresses.map((address) => ({ host, ip: address, preference: 0 })) };
}

async function findExchanges({ resolve }: LookUpDeps, domain: string, hostname: string): Promise<Exchanges> {
  const answer = await ask(resolve, domain, 'MX');
  if (answer.kind === 'temporary') {
    const reason = `the DNS does not answer for ${domain}: ${dnsWords.get(answer.code) ?? answer.code}`;
    return { outcome: 'later', reason };
  }
  if (answer.kind === 'no-such-name') {
    return { outcome: 'permanent', status: '5.1.2', reason: `the domain ${domain} does not exist` };
  }
  const exchanges = answer.kind === 'records' ? answer.records.flatMap(readExchange) : [];
  if (exchanges.some(({ host }) => host === '')) {
    // RFC 7505 §3: a single "." is a null MX; among others it is an error, and no host.
    const others = exchanges.filter(({ host }) => host !== '');
    if (others.length > 0) return { outcome: 'exchanges', exchanges: others, isImplicit: false };
    return { outcome: 'permanent', status: '5.1.10', reason: `the domain ${domain} takes no mail (null MX)` };
  }
  if (exchanges.length === 0)
    return { outcome: 'exchanges', exchanges: [{ host: domain, preference: 0 }], isImplicit: true };
  const own = exchanges.filter(({ host }) => host === hostname).map(({ preference }) => preference);
  const before = exchanges.filter(({ preference }) => preference < Math.min(...own, Number.POSITIVE_INFINITY));
  if (before.length > 0) return { outcome: 'exchanges', exchanges: before, isImplicit: false };
  const reason = `the best mail host of ${domain} is this one, which is not configured for it: mail would loop`;
  return { outcome: 'permanent', status: '5.4.6', reason };
}

/** RFC 5321 §5.1: by preference, equals in random order. */
function orderExchanges(exchanges: readonly Exchange[], random: () => number): Exchange[] {
  return exchanges
    .map((exchange) => ({ exchange, rank: random() }))
    .sort((a, b) => a.exchange.preference - b.exchange.preference || a.rank - b.rank)
    .map(({ exchange }) => exchange);
}

function chooseTargets(targets: readonly Target[], { allowPrivateTargets }: LookUpPolicy): MailHosts {
  const allowed = allowPrivateTargets ? targets : targets.filter(({ ip }) => !isPrivate(ip));
  if (allowed.length > 0) return { outcome: 'targets', targets: allowed.slice(0, maxTargets) };
  const hosts = [...new Set(targets.map(({ host, ip }) => (host === ip ? ip : `${host} [${ip}]`)))].join(', ');
  const reason = `the mail hosts are in a private network, and sending there is not allowed: ${hosts}`;
  return { outcome: 'permanent', status: '5.4.4', reason };
}

function noAddresses(domain: string, resolved: readonly Addresses[], isImplicit: boolean): MailHosts {
  if (resolved.some(({ failure }) => failure === 'temporary')) {
    return { outcome: 'later', reason: `the DNS does not answer for the mail hosts of ${domain}` };
  }
  if (isImplicit) return { outcome: 'permanent', status: '5.1.2', reason: `the domain ${domain} has no mail host` };
  return { outcome: 'permanent', status: '5.4.4', reason: `the mail hosts of ${domain} have no addresses` };
}

/** IPv4 first: cloud networks rarely have reverse names for IPv6, and peers want one. */
async function findAddresses(resolve: Resolve, host: string): Promise<Addresses> {
  const answers = await Promise.all([ask(resolve, host, 'A'), ask(resolve, host, 'AAAA')]);
  const addresses = answers.flatMap((answer) => (answer.kind === 'records' ? answer.records.filter(isAddress) : []));
  if (answers.some(({ kind }) => kind === 'temporary')) return { addresses, failure: 'temporary' };
  return { addresses, failure: answers.some(({ kind }) => kind === 'no-such-name') ? 'no-such-name' : 'none' };
}

const dnsWords: ReadonlyMap<string, string> = new Map([
  ['ESERVFAIL', 'its server failed, or none could be reached (SERVFAIL)'],
  ['EREFUSED', 'its server refuses to (REFUSED)'],
  ['ETIMEOUT', 'nothing came in time'],
]);

type Answer =
  | { readonly kind: 'records'; readonly records: readonly unknown[] }
  | { readonly kind: 'no-such-name' | 'no-data' }
  | { readonly kind: 'temporary'; readonly code: DnsErrorCode };

/** One question; a name that only leads on to another (CNAME) is followed if the server did not do so itself. */
async function ask(resolve: Resolve, name: string, type: string, depth = 0): Promise<Answer> {
  const answer = await askOnce(resolve, name, type);
  if (answer.kind !== 'no-data' || depth >= maxAliases || type === 'AAAA') return answer;
  const alias = await askOnce(resolve, name, 'CNAME');
  const target = alias.kind === 'records' ? alias.records.find((record) => typeof record === 'string') : undefined;
  return typeof target === 'string' ? ask(resolve, target, type, depth + 1) : answer;
}

async function askOnce(resolve: Resolve, name: string, type: string): Promise<Answer> {
  try {
    const records = await resolve(name, type);
    return Array.isArray(records) && records.length > 0 ? { kind: 'records', records } : { kind: 'no-data' };
  } catch (error) {
    const code = dnsErrorCode(error);
    if (isTemporaryDnsError(code)) return { kind: 'temporary', code };
    return { kind: code === 'ENODATA' ? 'no-data' : 'no-such-name' };
  }
}

function readExchange(record: unknown): Exchange[] {
  if (typeof record !== 'object' || record === null || !('exchange' in record) || !('priority' in record)) return [];
  const { exchange, priority } = record;
  if (typeof exchange !== 'string' || typeof priority !== 'number') return [];
  return [{ host: exchange.toLowerCase().replace(/\.$/, ''), preference: priority }];
}

function isAddress(record: unknown): record is string {
  return typeof record === 'string' && (isIPv4(record) || isIPv6(record));
}

function addressOfLiteral(domain: string): string | null {
  const inner = /^\[(?:IPv6:)?([0-9A-Fa-f:.]+)\]$/i.exec(domain)?.[1] ?? '';
  return isIPv4(inner) || isIPv6(inner) ? inner : null;
}
