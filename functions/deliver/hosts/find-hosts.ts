// Which hosts a job's mail goes to, and which TLS they must have: the smarthost, or the domain's own hosts under its MTA-STS policy
// (RFC 8461).

import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import type { OpenFailure, TlsPolicy } from '#functions/deliver/smtp/open-connection.ts';
import type { TlsFacts } from '#functions/deliver/smtp/smtp-socket.ts';
import { isLoopbackAddress } from '#mail/address/loopback.ts';
import { isNamedHost, type StsPolicy } from '#mail/mta-sts/sts-policy.ts';
import type { Config } from '#pipeline/config/config.ts';
import { lookUpHost, lookUpMx, type MailHosts, type Target } from './look-up-mx.ts';
import { findStsPolicy, type StsFinding } from './mta-sts.ts';

export type FindHostsDeps = Pick<DeliverDeps, 'resolve' | 'clock' | 'random' | 'store' | 'fetchPolicy' | 'memory'>;

/** The hosts in order, how TLS must be, the policy that says so, and what of it is to be noted with the attempt. */
export type HostsFound = {
  readonly outcome: 'targets';
  readonly targets: readonly Target[];
  readonly tls: TlsPolicy;
  readonly sts: StsPolicy;
  readonly note: string | null;
};

/** As {@link MailHosts}, under the policy that applies. */
export type Hosts = HostsFound | Exclude<MailHosts, { outcome: 'targets' }>;

/** Finds the targets for a domain. Never throws for what the DNS or a policy host does. */
export async function findHosts(deps: FindHostsDeps, config: Config, domain: string): Promise<Hosts> {
  const { mode, smarthost, allowPrivateTargets } = config.delivery;
  if (mode === 'smarthost' && smarthost !== null) {
    const mailHosts = await lookUpHost(deps, smarthost.host);
    if (mailHosts.outcome !== 'targets') return mailHosts;
    return { ...mailHosts, tls: smarthostTls(smarthost.tls, mailHosts.targets), sts: { mode: 'none' }, note: null };
  }
  const stsDeps = { ...deps, port: config.delivery.mtaStsPort, memory: deps.memory.policies, allowPrivateTargets };
  const [mailHosts, sts] = await Promise.all([
    lookUpMx(deps, domain, { hostname: config.hostname, allowPrivateTargets }),
    findStsPolicy(stsDeps, domain),
  ]);
  return mailHosts.outcome === 'targets' ? police(mailHosts.targets, sts, { config, domain }) : mailHosts;
}

function police(
  targets: readonly Target[],
  { policy, note }: StsFinding,
  { config, domain }: { readonly config: Config; readonly domain: string },
): Hosts {
  if (policy.mode !== 'enforce') {
    return { outcome: 'targets', targets, tls: tlsByConfig[config.delivery.tls], sts: policy, note };
  }
  const named = targets.filter(({ host }) => isNamedHost(policy.mx, host));
  if (named.length === 0) {
    return { outcome: 'later', reason: `no mail host of ${domain} is named in its MTA-STS policy` };
  }
  const others = [...new Set(targets.filter((target) => !named.includes(target)).map(({ host }) => host))];
  const left = others.length === 0 ? null : `not asked, as the domain's MTA-STS policy does not name it: ${others}`;
  return { outcome: 'targets', targets: named, tls: 'verified', sts: policy, note: left };
}

/** What the configuration asks of every mail host, in the words of a connection. */
const tlsByConfig = { opportunistic: 'opportunistic', required: 'encrypted', verified: 'verified' } as const;

/** A password goes only to a host that proved its name, or that is on this machine. */
function smarthostTls(tls: 'starttls' | 'implicit' | 'none', targets: readonly Target[]): TlsPolicy {
  if (tls === 'none') return 'never';
  return targets.every(({ ip }) => isLoopbackAddress(ip)) ? 'encrypted' : 'verified';
}

/** What a policy objects to at one host: it kept the mail back, or, in testing, it would have (RFC 8461 §5); null if to nothing. */
export function policyNote(
  sts: StsPolicy,
  host: string,
  { failure, tls }: { readonly failure: OpenFailure | null; readonly tls: TlsFacts | null },
): string | null {
  switch (sts.mode) {
    case 'none':
      return null;
    case 'enforce':
      return failure?.stage === 'tls' ? "the domain's MTA-STS policy demands it" : null;
    case 'testing': {
      const objection = objectionOf(sts.mx, host, { failure, tls });
      return objection === null ? null : `against the domain's MTA-STS policy, which is only in testing: ${objection}`;
    }
  }
}

function objectionOf(
  mx: readonly string[],
  host: string,
  { failure, tls }: { readonly failure: OpenFailure | null; readonly tls: TlsFacts | null },
): string | null {
  if (!isNamedHost(mx, host)) return 'the policy does not name this host';
  if (failure !== null) return failure.stage === 'tls' ? 'TLS failed' : null;
  if (tls === null) return 'the mail went in clear';
  return tls.problem === null ? null : `the host's certificate is not to be trusted: ${tls.problem}`;
}
