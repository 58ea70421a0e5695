// The DNS as configured at the moment: a new resolver is made when `dns` in the configuration changes.
import { isDeepStrictEqual } from 'node:util';
import type { Config, ConfigSource } from '#pipeline/config/config.ts';
import type { Clock, Metrics, Resolve } from '#pipeline/contract/ports.ts';
import { createResolver, type DnsResolver } from './resolver.ts';
import { verifiedReverseName } from './reverse-name.ts';

export type ConfiguredDns = {
  readonly resolve: Resolve;
  /** The verified name of a client's address or null; with the machine's own DNS, private addresses are not asked about. */
  readonly reverseName: (ip: string) => Promise<string | null>;
  /** Why the DNS does not work, as a sentence, if no server answers; null if one does, or did since `sinceMs`. */
  readonly problem: (sinceMs?: number) => Promise<string | null>;
  readonly close: () => void;
};

/** Loopback, private and link-local addresses. */
export const privateAddress =
  /^(::ffff:)?(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)|^::1$|^f[cd][0-9a-f]{2}:|^fe[89ab][0-9a-f]:/i;

/** Counts in `metrics` the zones and questions that are found not to answer. */
export function configuredDns(config: ConfigSource, clock: Clock, metrics: Pick<Metrics, 'count'>): ConfiguredDns {
  let made: { readonly dns: Config['dns']; readonly resolver: DnsResolver } | null = null;
  const resolverFor = ({ dns }: Pick<Config, 'dns'>): DnsResolver => {
    if (made !== null && isDeepStrictEqual(made.dns, dns)) return made.resolver;
    made?.resolver.close();
    const resolver = createResolver({
      servers: dns.servers,
      timeoutMs: dns.timeoutSeconds * 1_000,
      clock,
      onBreakerOpened: () => metrics.count('dns-breakers-opened'),
    });
    made = { dns, resolver };
    return resolver;
  };
  const resolve: Resolve = async (name, type, options) =>
    resolverFor(await config.current()).resolve(name, type, options);
  return {
    resolve,
    reverseName: async (ip) => {
      const { dns } = await config.current();
      if (dns.servers.length === 0 && privateAddress.test(ip)) return null;
      return verifiedReverseName(resolve, ip);
    },
    problem: async (sinceMs) => {
      const { dns } = await config.current();
      if (await resolverFor({ dns }).answers(sinceMs)) return null;
      const which = dns.servers.length === 0 ? 'those of the machine' : dns.servers.join(', ');
      return `no DNS server answers (dns.servers: ${which})`;
    },
    close: () => made?.resolver.close(),
  };
}
