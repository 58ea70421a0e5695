// The MTA-STS policy of a domain (RFC 8461) that applies now: its record is asked for, and its file fetched. If that cannot be had, the
// last policy applies until it expires; it is kept in the store too, for other processes and after a restart.

import { isPrivate } from '#mail/address/private-address.ts';
import { parseStsPolicy, type StsPolicy } from '#mail/mta-sts/sts-policy.ts';
import type { Clock, ObjectStore, Resolve } from '#pipeline/contract/ports.ts';
import { stsPolicyRecord } from '#pipeline/contract/records/sts-policy.ts';
import type { FetchPolicy, PolicyFile } from './fetch-policy.ts';

/** The policy that applies, and why the one that the domain announces does not, if it could not be had. */
export type StsFinding = { readonly policy: StsPolicy; readonly note: string | null };

type Known = StsFinding & {
  /** The id of the TXT record the policy was fetched for; null if nothing is known. */
  readonly id: string | null;
  readonly fetchedAt: number;
  readonly expiresAt: number;
  readonly checkedAt: number;
};

/** Policies this process has fetched, by domain. */
export type PolicyMemory = {
  readonly get: (domain: string) => Known | undefined;
  readonly set: (domain: string, known: Known) => unknown;
};

type StsDeps = {
  readonly resolve: Resolve;
  readonly fetchPolicy: FetchPolicy;
  readonly store: Pick<ObjectStore, 'get' | 'put' | 'delete'>;
  readonly clock: Clock;
  /** The port of policy hosts: 443. */
  readonly port: number;
  readonly memory: PolicyMemory;
  /** Whether policies may be fetched from hosts in private networks. */
  readonly allowPrivateTargets: boolean;
};

const none: StsPolicy = { mode: 'none' };
const recheckMs = 300_000;
const refreshMs = 86_400_000; // RFC 8461 §10.2: well before it expires, so that an attacker cannot wait for that

/**
 * The policy that applies to a domain now. Asks DNS at most every five minutes; HTTPS when the record's id changed, and once
 * a day or when half of the policy's time is over.
 */
export async function findStsPolicy(deps: StsDeps, domain: string): Promise<StsFinding> {
  if (domain.startsWith('[')) return { policy: none, note: null }; // an address literal has no name to ask for
  const now = deps.clock();
  const known = deps.memory.get(domain) ?? (await readKept(deps.store, domain));
  if (now - known.checkedAt < recheckMs) return inForce(known, now);
  const id = await readRecordId(deps.resolve, domain);
  const next = { ...(await refresh(deps, domain, { known, id })), checkedAt: now };
  deps.memory.set(domain, next);
  return inForce(next, now);
}

function inForce({ policy, note, expiresAt }: Known, now: number): StsFinding {
  if (now < expiresAt) return { policy, note: null };
  return { policy: none, note };
}

/** What is known, or what is fetched if that is due. What fails leaves what was known (RFC 8461 §3.3). */
async function refresh(
  deps: StsDeps,
  domain: string,
  { known, id }: { readonly known: Known; readonly id: string | null },
): Promise<Known> {
  const now = deps.clock();
  const refreshAt = known.fetchedAt + Math.min(refreshMs, (known.expiresAt - known.fetchedAt) / 2);
  if (id === null) return { ...known, note: null };
  if (id === known.id && now < refreshAt) return known;
  const file = await fetchFile(deps, domain);
  const parsed = file.outcome === 'file' ? parseStsPolicy(file.text) : null;
  if (parsed === null) {
    const reason = file.outcome === 'failed' ? file.reason : 'the file is no policy';
    return { ...known, note: `the MTA-STS policy that ${domain} announces could not be had: ${reason}` };
  }
  const { policy, maxAgeSeconds } = parsed;
  const facts = { id, fetchedAt: now, expiresAt: now + maxAgeSeconds * 1000 };
  const words = { mode: policy.mode, mx: policy.mode === 'none' ? [] : [...policy.mx] };
  const record = { schema: 'sts-policy/1', domain, ...words, ...facts } as const;
  await stsPolicyRecord.write(deps.store, stsPolicyRecord.key(domain), record);
  return { ...unknown, ...facts, policy };
}

const unknown: Known = {
  id: null,
  policy: none,
  note: null,
  fetchedAt: 0,
  expiresAt: 0,
  checkedAt: Number.NEGATIVE_INFINITY,
};

async function readKept(store: StsDeps['store'], domain: string): Promise<Known> {
  const stored = await stsPolicyRecord.read(store, stsPolicyRecord.key(domain));
  if (stored === null) return unknown;
  const { id, mode, mx, fetchedAt, expiresAt } = stored.record;
  return { ...unknown, id, policy: mode === 'none' ? none : { mode, mx }, fetchedAt, expiresAt };
}

/** RFC 8461 §3.1: exactly one record that begins with the version, else it counts as none. */
async function readRecordId(resolve: Resolve, domain: string): Promise<string | null> {
  const records = await resolve(`_mta-sts.${domain}`, 'TXT').catch(() => []);
  const texts = Array.isArray(records)
    ? records.map((parts) => (Array.isArray(parts) ? parts.join('') : String(parts)))
    : [];
  const found = texts.filter((text) => /^v=STSv1[ \t]*(;|$)/.test(text));
  return found.length === 1
    ? (/;[ \t]*id[ \t]*=[ \t]*([A-Za-z0-9]{1,32})[ \t]*(;|$)/.exec(found[0] ?? '')?.[1] ?? null)
    : null;
}

/** Hosts in private networks are not asked: anybody could point us at them by writing to a domain of theirs. */
async function fetchFile(
  { resolve, fetchPolicy, port, allowPrivateTargets }: StsDeps,
  domain: string,
): Promise<PolicyFile> {
  const host = `mta-sts.${domain}`;
  const ask = (type: string): Promise<unknown> => resolve(host, type).catch(() => []);
  const found = (await Promise.all([ask('A'), ask('AAAA')])).flat().filter((ip) => typeof ip === 'string');
  if (found.length === 0) return { outcome: 'failed', reason: `${host} is not found in the DNS` };
  if (!allowPrivateTargets && found.some(isPrivate))
    return { outcome: 'failed', reason: `${host} is in a private network` };
  return fetchPolicy({ host, addresses: found, port });
}
