// MTA-STS (RFC 8461): a domain says by DNS and HTTPS which hosts take its mail and that they have good certificates. A
// policy in force makes TLS with a proven certificate a condition; a policy that cannot be fetched leaves the last one.
import type { Clock, Resolve } from '#pipeline/ports.ts';
import { isPrivate } from './find-routes.ts';

/** A domain's policy as it applies now. `none`: deliver as if there were no such thing. */
export type StsPolicy =
  | { readonly mode: 'none' }
  | { readonly mode: 'testing' | 'enforce'; readonly mx: readonly string[] };

type Known = {
  /** The id of the TXT record the policy was fetched for; null where nothing is known. */
  readonly id: string | null;
  readonly policy: StsPolicy;
  readonly expiresAt: number;
  readonly checkedAt: number;
};

/** Policies this process has fetched, by domain. */
export type PolicyMemory = Map<string, Known>;

export type StsDeps = {
  readonly resolve: Resolve;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  readonly memory: PolicyMemory;
  /** Whether policies may be fetched from hosts in private networks. */
  readonly allowPrivateTargets: boolean;
};

const none: StsPolicy = { mode: 'none' };
const recheckMs = 300_000;
const fetchMs = 10_000; // RFC 8461 §3.3 suggests a minute; a message waits here
const maxPolicyBytes = 65_536;
const longestAgeSeconds = 31_557_600; // RFC 8461 §3.2
const maxRemembered = 10_000;

/** The policy that applies to a domain now. Asks DNS at most every five minutes, HTTPS only when the record's id changed. */
export async function findStsPolicy(deps: StsDeps, domain: string): Promise<StsPolicy> {
  if (domain.startsWith('[')) return none; // an address literal has no name to ask for
  const now = deps.clock();
  const known = deps.memory.get(domain);
  if (known !== undefined && now - known.checkedAt < recheckMs) return inForce(known, now);
  const id = await readRecordId(deps.resolve, domain);
  const isNew = id !== null && (known === undefined || id !== known.id || now >= known.expiresAt);
  const fetched = isNew && (await mayAsk(deps, domain)) ? await fetchPolicy(deps.fetch, domain) : null;
  const before = known ?? { id: null, policy: none, expiresAt: 0 };
  const next =
    fetched === null
      ? { ...before, checkedAt: now }
      : { id, policy: fetched.policy, expiresAt: now + fetched.maxAgeSeconds * 1000, checkedAt: now };
  deps.memory.delete(domain);
  deps.memory.set(domain, next);
  const oldest = deps.memory.keys().next();
  if (deps.memory.size > maxRemembered && oldest.done !== true) deps.memory.delete(oldest.value);
  return inForce(next, now);
}

/** Whether a host is among those a policy names (RFC 8461 §4.1: `*.` stands for exactly one label). */
export function isNamedHost(mx: readonly string[], host: string): boolean {
  return mx.some((pattern) =>
    pattern.startsWith('*.')
      ? host.slice(host.indexOf('.') + 1) === pattern.slice(2) && host.includes('.')
      : host === pattern,
  );
}

/** Reads a policy file (RFC 8461 §3.2); null where it is not one. */
export function parseStsPolicy(text: string): { readonly policy: StsPolicy; readonly maxAgeSeconds: number } | null {
  const pairs = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const match = /^([A-Za-z0-9_.-]+)[ \t]*:(.*)$/.exec(line); // trimmed below: a pattern for that takes quadratic time
    return match?.[1] === undefined || match[2] === undefined ? [] : [[match[1], match[2].trim()]];
  });
  const value = (key: string): string | undefined => pairs.find(([name]) => name === key)?.[1];
  const maxAgeSeconds = Math.min(Number(value('max_age') ?? 'NaN'), longestAgeSeconds);
  const mode = value('mode');
  const mx = pairs.filter(([name]) => name === 'mx').map(([, host]) => host.toLowerCase().replace(/\.$/, ''));
  if (value('version') !== 'STSv1' || !Number.isInteger(maxAgeSeconds) || maxAgeSeconds < 0) return null;
  if (mode === 'none') return { policy: none, maxAgeSeconds };
  if ((mode !== 'testing' && mode !== 'enforce') || mx.length === 0) return null;
  return { policy: { mode, mx }, maxAgeSeconds };
}

function inForce({ policy, expiresAt }: Known, now: number): StsPolicy {
  return now < expiresAt ? policy : none;
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

/** A stranger's domain must not have us knock at hosts within: whoever sends to it would make us do so. */
async function mayAsk({ resolve, allowPrivateTargets }: StsDeps, domain: string): Promise<boolean> {
  if (allowPrivateTargets) return true;
  const ask = (type: string): Promise<unknown> => resolve(`mta-sts.${domain}`, type).catch(() => []);
  const answers = (await Promise.all([ask('A'), ask('AAAA')])).flat();
  return !answers.some((ip) => typeof ip === 'string' && isPrivate(ip));
}

/** RFC 8461 §3.3: HTTPS, no redirects, status 200, of limited size. Whatever fails is no policy. */
async function fetchPolicy(fetch: StsDeps['fetch'], domain: string): Promise<ReturnType<typeof parseStsPolicy>> {
  try {
    const response = await fetch(`https://mta-sts.${domain}/.well-known/mta-sts.txt`, {
      redirect: 'error',
      signal: AbortSignal.timeout(fetchMs),
    });
    if (response.status !== 200 || response.body === null) return null;
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of response.body) {
      bytes += piece.length;
      if (bytes > maxPolicyBytes) return null;
      pieces.push(piece);
    }
    return parseStsPolicy(Buffer.concat(pieces).toString('utf8'));
  } catch {
    return null; // DNS, TLS, timeout, a redirect: no policy to be had
  }
}
