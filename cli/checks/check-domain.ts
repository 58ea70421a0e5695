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
import { advice, type Finding, type Mend, missing, ok, unknown, unread } from './finding.ts';

export type DomainCheck = {
  readonly config: Config;
  readonly domain: string;
  readonly resolve: Resolve;
  readonly secrets: Secrets;
  readonly nowMs: number;
  /** How its mail leaves. */
  readonly ways: readonly WayOut[];
  /** Where the configuration is. */
  readonly place: Pick<ConfigPlace, 'stack' | 'command'>;
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
    judgeDmarc(dmarc, suggested.dmarc),
    sts.level === 'missing' && sts.records.length > 0 ? { ...sts, level: 'advice' } : sts,
  ];
}

async function checkExchange({ config, domain, resolve }: DomainCheck, record: DnsRecord): Promise<Finding> {
  const answer = await askDns(resolve, domain, 'MX');
  if (answer.outcome === 'no-answer') return unknown(`${domain}: ${answer.reason}`);
  const hosts = answer.records.map((one) => {
    const { exchange = '', priority = 0 } = Object(one);
    return { name: String(exchange).toLowerCase(), priority: Number(priority) };
  });
  const ours = hosts.find(({ name }) => name === config.hostname);
  const others = hosts.filter(
    ({ name, priority }) => name !== config.hostname && priority < (ours?.priority ?? 65_536),
  );
  const names = others.map(({ name }) => name).join(', ');
  const takeOut = `Take out MX ${names}: what goes there does not come here, unless that passes it on.`;
  if (ours === undefined) {
    return missing(`${domain}: its mail does not come here (MX ${names || 'is not there'})`, {
      records: [record],
      hint: names === '' ? null : takeOut,
    });
  }
  if (names === '') return ok(`${domain}: its mail comes to ${config.hostname} (MX)`);
  return advice(`${domain}: its mail goes to ${names} before it comes to ${config.hostname} (MX)`, { hint: takeOut });
}

/** A record that asks receivers for nothing (RFC 9989 §4.7: `p=none`, or none given) is for the time before the reports were read. */
function judgeDmarc(found: Finding, suggested: DnsRecord): Finding {
  const [, record] = /: (v=DMARC1.*)$/s.exec(found.what) ?? [];
  if (found.level !== 'ok' || record === undefined) return found;
  const tags = record.split(';').map((tag) => tag.trim());
  const policy = tags.find((tag) => /^p\s*=/.test(tag));
  if (policy !== undefined && !/=\s*none$/i.test(policy)) return found;
  const [, reports = ''] = /(rua=\S+)/.exec(suggested.value) ?? [];
  const rest = tags.filter((tag) => tag !== '' && tag !== policy && !/^v=/.test(tag));
  const hasReports = rest.some((tag) => /^rua\s*=/.test(tag));
  const value = ['v=DMARC1', 'p=quarantine', ...rest, ...(hasReports ? [] : [reports])].join('; ');
  const hint = hasReports
    ? 'Once the reports show that your own mail passes.'
    : `Nobody gets reports: publish ${reports} with p=none first, and this once they show that your own mail passes.`;
  const what = `${found.what} asks receivers to let forgeries pass`;
  return advice(what, { records: [{ ...suggested, value, about: 'forgeries go to the junk folder' }], hint });
}

async function checkDkim(checked: DomainCheck): Promise<readonly Finding[]> {
  const { config, domain, place } = checked;
  const keys = Object.entries(config.domains).find(([name]) => name === domain)?.[1].dkim ?? [];
  const run = [place.command(`dkim new ${domain}`)];
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
    if (answer.outcome === 'no-answer') return unknown(`${what}: ${answer.reason}`);
    const published = answer.records.map((text) => text.replace(/\s+/g, ''));
    if (published.some((text) => text.includes(`p=${publicKeyText(publicKey)}`))) return ok(`${what} is published`);
    if (published.length === 0) return missing(`${what} is not published`, { records: [record] });
    const hint = 'In place of what is there.';
    return missing(`${what} is published, but is another key`, { records: [record], hint });
  } catch (thrown) {
    const more = `"${place.command(`dkim new ${domain}`)}" makes others: then take this one out of the configuration`;
    return unread(what, thrown, { hint: `Put the key back where ${privateKey} says, or: ${more}` });
  }
}

type Wanted = { readonly pattern: RegExp; readonly what: string; readonly mend: Mend };

async function oneText(resolve: Resolve, name: string, wanted: Wanted): Promise<Finding> {
  const found = await askOneText(resolve, name, wanted);
  if (typeof found === 'string') return ok(`${wanted.what}: ${found}`);
  return found ?? missing(`${wanted.what}: no record`, wanted.mend);
}
