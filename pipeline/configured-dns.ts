// The DNS as configured at the moment: another resolver is taken when `dns` in the configuration changes.
import { createResolver, type DnsResolver } from './dns-resolver.ts';
import { verifiedReverseName } from './dns-reverse-name.ts';
import type { Clock, ConfigSource, Resolve } from './ports.ts';

/** See the file's head. `reverseName`: the verified name of a client's address, or null. */
export type ConfiguredDns = {
  readonly resolve: Resolve;
  readonly reverseName: (ip: string) => Promise<string | null>;
};

/** Asks nothing before it is asked. */
export function configuredDns(config: ConfigSource, clock: Clock): ConfiguredDns {
  let made: { readonly settings: string; readonly resolver: DnsResolver } | null = null;
  const resolve: Resolve = async (name, type) => {
    const { dns } = await config.current();
    const settings = JSON.stringify(dns);
    if (made?.settings !== settings) {
      made?.resolver.close();
      const timeoutMs = dns.timeoutSeconds * 1_000;
      made = { settings, resolver: createResolver({ servers: dns.servers, timeoutMs, clock }) };
    }
    return made.resolver.resolve(name, type);
  };
  return { resolve, reverseName: (ip) => verifiedReverseName(resolve, ip) };
}
