// Edits of SPF records (RFC 7208) that leave what they say: several as one, and one that makes receivers ask the DNS less.
import { isIP } from 'node:net';
import { askTexts } from '#cli/checks/ask-dns.ts';
import { addressesOf, exchangesOf } from '#cli/checks/read-spf.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { spfPattern } from './relay-spf.ts';

/** Behind the version. */
export function termsOf(record: string): readonly string[] {
  return record.split(/\s+/).slice(1).filter(Boolean);
}

/** All that each of them lets pass, each term once. What passes by none fails as softly as the softest of them says. */
export function mergedSpf(records: readonly string[]): string {
  const terms = records.flatMap(termsOf).map((term) => term.replace(/^redirect=/i, 'include:'));
  const isAll = (term: string): boolean => /^[-+~?]?all$/i.test(term);
  const others = terms.filter((term) => !isAll(term));
  const once = others.filter((term, n) => others.findIndex((one) => one.toLowerCase() === term.toLowerCase()) === n);
  const last = ['?all', '~all', '-all'].find((all) => terms.some((term) => term.toLowerCase() === all)) ?? '~all';
  return ['v=spf1', ...once, last].join(' ');
}

/** Hosts by their addresses of now, and no include of a domain without an SPF record; what cannot be found out stays. */
export async function lighterSpf(domain: string, record: string, resolve: Resolve): Promise<string> {
  const terms = await Promise.all(termsOf(record).map((term) => lighterTerm(domain, term, resolve)));
  return ['v=spf1', ...new Set(terms.flat())].join(' ');
}

async function lighterTerm(domain: string, term: string, resolve: Resolve): Promise<readonly string[]> {
  const [, name = '', , value = ''] = /^\+?(a|mx|include)(:([^\s/%]+))?$/i.exec(term) ?? [];
  if (name === '') return [term];
  if (name.toLowerCase() === 'include') {
    const answer = await askTexts(resolve, value);
    const isThere = answer.outcome === 'no-answer' || answer.records.some((text) => spfPattern.test(text));
    return isThere ? [term] : [];
  }
  const host = value || domain;
  const hosts = name.toLowerCase() === 'a' ? [host] : await exchangesOf(resolve, host);
  const addresses = (await Promise.all(hosts.map((one) => addressesOf(resolve, one)))).flat();
  return addresses.length === 0 ? [term] : addresses.map((address) => `ip${isIP(address)}:${address}`);
}
