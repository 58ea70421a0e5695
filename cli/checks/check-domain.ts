// Checks the DNS records of one of our domains: where its mail goes (MX), who may send for it (SPF), with which keys (DKIM),
// what happens to forgeries (DMARC), and whether mail to it must come over verified TLS (MTA-STS).
import { createPublicKey } from 'node:crypto';
import type { ConfigPlace } from '#cli/config/config-place.ts';
import type { DnsRecord } from '#cli/dns/dns-record.ts';
import { dkimRecord, publicKeyText, stsPolicyText, suggestedRecords } from '#cli/dns/dns-records.ts';
import type { WayOut } from '#cli/dns/way-out.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Resolve, Secrets } from '#pipeline/contract/ports.ts';
import { askDns, askOneText, askTexts } from './ask-dns.ts';
import { checkSpf } from './check-spf.ts';
import { advice, type Finding, type Mend, missing, ok, unread } from './finding.ts';

export type DomainCheck = {
  readonly config: Config;
  readonly domain: string;
  readonly resolve: Resolve;
  readonly secrets: Secrets;
  readonly nowMs: number;
  /** How its mail leaves. */
  readonly ways: readonly WayOut[];
  /** Where the configuration is. */
  readonly place: Pick<ConfigPlace, 'stack' | 'flags'>;
};

export async function checkDomain(checked: DomainCheck): Promise<readonly Finding[]> {
  const { config, domain, resolve } = checked;
  const suggested = suggestedRecords(domain, checked);
  const [spf, dmarc, sts] = await Promise.all([
    checkSpf({ domain, ways: checked.ways }, resolve),
    oneText(resolve, `_dmarc.${domain}`, {
      pattern: /^v=DMARC1\s*;/,
      what: `${domain}: DMARC`,
      mend: { records: [suggested.dmarc] },
    }),
    oneText(resolve, `_mta-sts.${domain}`, {
      pattern: /^v=STSv1\s*;/,
      what: `${domain}: MTA-STS`,
      mend: { records: [suggested.mtaSts], hint: stsPolicyText(domain, config.hostname) },
    }),
  ]);
  return [
    await checkExchange(checked, suggested.mx),
    spf,
    ...(await checkDkim(checked)),
    dmarc,
    sts.level === 'missing' && sts.records.length > 0 ? { ...sts, level: 'advice' } : sts,
  ];
}

async function checkExchange({ config, domain, resolve }: DomainCheck, record: DnsRecord): Promise<Finding> {
  const answer = await askDns(resolve, domain, 'MX');
  if (answer.outcome === 'no-answer') return missing(`${domain}: ${answer.reason}`);
  const hosts = answer.records.map((one) => String(Object(one)['exchange'] ?? '').toLowerCase());
  if (hosts.includes(config.hostname)) return ok(`${domain}: its mail comes to ${config.hostname} (MX)`);
  return missing(`${domain}: its mail does not come here (MX ${hosts.join(', ') || 'is not there'})`, {
    records: [record],
  });
}

async function checkDkim(checked: DomainCheck): Promise<readonly Finding[]> {
  const { config, domain, place } = checked;
  const keys = Object.entries(config.domains).find(([name]) => name === domain)?.[1].dkim ?? [];
  const run = [`pillarbox dkim new ${domain}${place.flags}`];
  if (keys.length === 0) return [advice(`${domain}: mail is not signed (DKIM)`, { run })];
  // Of a key that no function can read there is a finding already.
  const readable = keys.filter(({ privateKey }) => place.stack === null || privateKey.startsWith('secret:'));
  return Promise.all(readable.map((key) => checkKey(checked, key)));
}

async function checkKey(
  { domain, resolve, secrets, place }: DomainCheck,
  { selector, privateKey }: { readonly selector: string; readonly privateKey: string },
): Promise<Finding> {
  const what = `${domain}: DKIM key ${selector}`;
  try {
    const publicKey = createPublicKey(await secrets.read(privateKey));
    const record = dkimRecord({ domain, selector, publicKey });
    const answer = await askTexts(resolve, record.name);
    if (answer.outcome === 'no-answer') return missing(`${what}: ${answer.reason}`);
    const published = answer.records.map((text) => text.replace(/\s+/g, ''));
    if (published.some((text) => text.includes(`p=${publicKeyText(publicKey)}`))) return ok(`${what} is published`);
    const other = published.length === 0 ? 'is not published' : 'is published, but is another key';
    return missing(`${what} ${other}`, { records: [record] });
  } catch (thrown) {
    const more = `"pillarbox dkim new ${domain}${place.flags}" makes others: then take this one out of the configuration`;
    return unread(what, thrown, { hint: `Put the key back where ${privateKey} says, or: ${more}` });
  }
}

type Wanted = { readonly pattern: RegExp; readonly what: string; readonly mend: Mend };

async function oneText(resolve: Resolve, name: string, wanted: Wanted): Promise<Finding> {
  const found = await askOneText(resolve, name, wanted);
  if (typeof found === 'string') return ok(`${wanted.what}: ${found}`);
  return found ?? missing(`${wanted.what}: no record`, wanted.mend);
}
