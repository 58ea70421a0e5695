// The SPF terms that let a relay (smarthost) send for a domain. A relay takes mail at one address and sends from many
// others: its include names them, if it is known; if not, the SPF records of its own names are a good guess.
import { isIP } from 'node:net';
import { askDns, askTexts } from '#cli/checks/ask-dns.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';

/** The version of an SPF record (RFC 7208 §4.5). */
export const spfPattern = /^v=spf1( |$)/i;

/** `terms`: each by itself is enough, the first is the one to publish; none: only the relay's operator can tell. */
export type RelaySpf = { readonly terms: readonly string[]; readonly isCertain: boolean };

/** The includes that relays tell their customers to publish, by the end of the relay's host name. */
const known: readonly (readonly [string, string])[] = [
  ['amazonaws.com', 'amazonses.com'],
  ['sendgrid.net', 'sendgrid.net'],
  ['mailgun.org', 'mailgun.org'],
  ['postmarkapp.com', 'spf.mtasv.net'],
  ['mandrillapp.com', 'spf.mandrillapp.com'],
  ['mailjet.com', 'spf.mailjet.com'],
  ['gmail.com', '_spf.google.com'],
  ['office365.com', 'spf.protection.outlook.com'],
  ['outlook.com', 'spf.protection.outlook.com'],
];

/** Without the DNS. */
export function relaySpf(host: string): RelaySpf {
  const name = host.toLowerCase().replace(/\.$/, '');
  const found = known.find(([end]) => name === end || name.endsWith(`.${end}`));
  if (found !== undefined) return { terms: [`include:${found[1]}`], isCertain: true };
  if (isLoopbackHost(name)) return { terms: [], isCertain: false };
  const version = isIP(name);
  return { terms: [version === 0 ? `a:${name}` : `ip${version}:${name}`], isCertain: false };
}

/** With the DNS: also the SPF records of the relay and of the names above it, and its addresses. */
export async function findRelaySpf(host: string, resolve: Resolve): Promise<RelaySpf> {
  const plain = relaySpf(host);
  if (plain.isCertain || plain.terms.length === 0 || isIP(host) !== 0) return plain;
  const labels = host.toLowerCase().split('.');
  const above = labels.map((_, n) => labels.slice(n).join('.')).filter((name) => name.includes('.'));
  const names = above.flatMap((name) => [`_spf.${name}`, name]);
  const found = await Promise.all(
    names.map(async (name) => ((await hasSpf(name, resolve)) ? [`include:${name}`] : [])),
  );
  const addresses = await askDns(resolve, host, 'A');
  const literal = addresses.outcome === 'records' ? addresses.records.map((address) => `ip4:${address}`) : [];
  return { terms: [...found.flat(), ...plain.terms, ...literal], isCertain: false };
}

async function hasSpf(name: string, resolve: Resolve): Promise<boolean> {
  const answer = await askTexts(resolve, name);
  return answer.outcome === 'records' && answer.records.some((text) => spfPattern.test(text));
}
