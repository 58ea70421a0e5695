// How mail leaves for other hosts, and the SPF terms that let it (RFC 7208): a relay, an address of a deployment, this server itself.
import type { ConfigPlace } from '#cli/config/config-place.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { findRelaySpf, relaySpf } from './relay-spf.ts';

export type WayOut =
  | { readonly how: 'relay'; readonly host: string }
  /** Of the NAT gateway of a deployment. */
  | { readonly how: 'address'; readonly address: string }
  /** This server, at the addresses of its name. */
  | { readonly how: 'server'; readonly hostname: string };

/**
 * The way that mail takes, then those that it takes after an edit of the configuration: a deployment with an outbound address may go
 * from a relay to direct delivery at any time.
 */
export function waysOut({ hostname, delivery }: Config, outboundAddress: string | null): readonly WayOut[] {
  const relay = relayOf(delivery);
  const direct: WayOut =
    outboundAddress === null ? { how: 'server', hostname } : { how: 'address', address: outboundAddress };
  if (relay === null) return [direct];
  return [{ how: 'relay', host: relay }, ...(outboundAddress === null ? [] : [direct])];
}

/** Those of the configuration of a file, or of a deployment with the address that its mail leaves from. */
export async function waysOutOf(config: Config, { stack }: Pick<ConfigPlace, 'stack'>): Promise<readonly WayOut[]> {
  const options = await stack?.deployed.configStore.options();
  return waysOut(config, options?.addresses?.outbound ?? null);
}

/** The host that all mail is sent to, or null if it goes to each domain's own hosts. */
export function relayOf({ mode, smarthost }: Config['delivery']): string | null {
  return mode === 'smarthost' ? (smarthost?.host ?? null) : null;
}

/** `terms`: each by itself is enough, the first is the one to publish; none: only the relay's operator can tell. */
export type WantedSpf = { readonly terms: readonly string[]; readonly isCertain: boolean; readonly who: string };

/** Without the DNS. */
export function wantedSpf(way: WayOut): WantedSpf {
  switch (way.how) {
    case 'relay':
      return { ...relaySpf(way.host), who: `the relay ${way.host}` };
    case 'address':
      return { terms: [`ip4:${way.address}`], isCertain: true, who: `the outbound address ${way.address}` };
    case 'server':
      return { terms: [`a:${way.hostname}`], isCertain: true, who: `this server, ${way.hostname}` };
  }
}

/** With the DNS, which may know more of a relay. */
export async function findWantedSpf(way: WayOut, resolve: Resolve): Promise<WantedSpf> {
  return way.how === 'relay' ? { ...wantedSpf(way), ...(await findRelaySpf(way.host, resolve)) } : wantedSpf(way);
}
