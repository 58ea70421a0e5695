// Reads an SPF record with all it includes, as far as a receiver would: the terms it names, the addresses that pass, and how often it
// asks the DNS (RFC 7208 §4.6.4, §5).
import { BlockList, isIP } from 'node:net';
import { spfPattern } from '#cli/dns/relay-spf.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { askDns, askTexts } from './ask-dns.ts';

/** Receivers give up beyond it: the record then counts for nothing (permerror). */
export const maxLookUps = 10;

/** `terms`: in lower case, without `+`. `passes` says whether mail from an address passes. */
export type ReadSpf = {
  readonly terms: ReadonlySet<string>;
  readonly lookUps: number;
  readonly passes: (address: string) => boolean;
};

type Reading = {
  readonly resolve: Resolve;
  readonly terms: Set<string>;
  readonly networks: BlockList;
  readonly waiting: { readonly domain: string; readonly record: string }[];
  lookUps: number;
};

/** `record`: what `domain` publishes, or is about to. */
export async function readSpf(domain: string, record: string, resolve: Resolve): Promise<ReadSpf> {
  const networks = new BlockList();
  const reading: Reading = { resolve, terms: new Set(), networks, waiting: [{ domain, record }], lookUps: 0 };
  for (const one of reading.waiting) {
    for (const term of one.record.toLowerCase().split(/\s+/).slice(1)) await readTerm(reading, one.domain, term);
  }
  const passes = (address: string): boolean => networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return { terms: reading.terms, lookUps: reading.lookUps, passes };
}

async function readTerm(reading: Reading, domain: string, term: string): Promise<void> {
  const [, sign = '+', name = '', value = ''] = /^([-+~?])?([a-z0-9]+)[:=]?(.*)$/.exec(term) ?? [];
  const isPass = sign === '+';
  if (isPass) reading.terms.add(term.replace(/^\+/, ''));
  if (name === 'ip4' || name === 'ip6') {
    if (isPass) addNetwork(reading.networks, value);
    return;
  }
  if (!/^(?:include|redirect|a|mx|ptr|exists)$/.test(name) || ++reading.lookUps > maxLookUps || value.includes('%'))
    return;
  if (name === 'include' || name === 'redirect') {
    const answer = await askTexts(reading.resolve, value);
    const found = answer.outcome === 'records' ? answer.records.find((text) => spfPattern.test(text)) : undefined;
    if (found !== undefined) reading.waiting.push({ domain: value, record: found });
  } else if (isPass && (name === 'a' || name === 'mx')) {
    const [host = '', prefix] = value.split('/');
    const hosts = name === 'a' ? [host || domain] : await exchangesOf(reading.resolve, host || domain);
    for (const one of hosts) await addAddresses(reading, one, prefix);
  }
}

/** The hosts that a domain's mail goes to; none if the DNS does not answer. */
export async function exchangesOf(resolve: Resolve, domain: string): Promise<readonly string[]> {
  const answer = await askDns(resolve, domain, 'MX');
  return answer.outcome === 'records' ? answer.records.map((one) => String(Object(one)['exchange'] ?? '')) : [];
}

async function addAddresses({ resolve, networks }: Reading, host: string, prefix: string | undefined): Promise<void> {
  for (const address of await addressesOf(resolve, host)) {
    const isV4 = isIP(address) === 4;
    addNetwork(networks, isV4 && prefix !== undefined ? `${address}/${prefix}` : address);
  }
}

/** All addresses that a name has; none if the DNS does not answer. */
export async function addressesOf(resolve: Resolve, host: string): Promise<readonly string[]> {
  const answers = await Promise.all(['A', 'AAAA'].map((type) => askDns(resolve, host, type)));
  return answers.flatMap((answer) => (answer.outcome === 'records' ? answer.records.map(String) : []));
}

/** An address, with its prefix length or alone; what is none passes nothing. */
function addNetwork(networks: BlockList, text: string): void {
  const [address = '', prefix] = text.split('/');
  const version = isIP(address);
  if (version === 0) return;
  const longest = version === 4 ? 32 : 128;
  const bits = Math.min(Number(prefix ?? longest), longest);
  if (Number.isInteger(bits)) networks.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
}
