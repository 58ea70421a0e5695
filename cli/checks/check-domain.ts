// Checks the DNS records of one of our domains: where its mail goes (MX), who may send for it (SPF), with which keys (DKIM),
// what happens to forgeries (DMARC), and whether mail to it must come over verified TLS (MTA-STS).
import { createPublicKey } from 'node:crypto';
import { dkimRecord, publicKeyText, recordText, relayOf, stsPolicyText, suggestedRecords } from '#cli/dns-records.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Resolve, Secrets } from '#pipeline/contract/ports.ts';
import { askDns, askTexts } from './ask-dns.ts';
import { checkRelaySpf } from './check-relay-spf.ts';
import type { Finding } from './finding.ts';

export type DomainCheck = {
  readonly config: Config;
  readonly domain: string;
  readonly resolve: Resolve;
  readonly secrets: Secrets;
  readonly nowMs: number;
};

export async function checkDomain(checked: DomainCheck): Promise<readonly Finding[]> {
  const { config, domain, resolve, nowMs } = checked;
  const suggested = suggestedRecords(domain, config, nowMs);
  const relay = relayOf(config.delivery);
  const [spf, dmarc, sts] = await Promise.all([
    relay === null
      ? oneText(resolve, domain, {
          pattern: /^v=spf1( |$)/i,
          what: `${domain}: SPF`,
          publish: recordText(suggested.spf),
        })
      : checkRelaySpf({ domain, relay }, resolve),
    oneText(resolve, `_dmarc.${domain}`, {
      pattern: /^v=DMARC1\s*;/,
      what: `${domain}: DMARC`,
      publish: recordText(suggested.dmarc),
    }),
    oneText(resolve, `_mta-sts.${domain}`, {
      pattern: /^v=STSv1\s*;/,
      what: `${domain}: MTA-STS`,
      publish: `${recordText(suggested.mtaSts)}\n${stsPolicyText(domain, config.hostname)}`,
    }),
  ]);
  return [
    await checkExchange(checked, recordText(suggested.mx)),
    spf,
    ...(await checkDkim(checked)),
    dmarc,
    sts.level === 'missing' && sts.publish !== undefined ? { ...sts, level: 'advice' } : sts,
  ];
}

async function checkExchange({ config, domain, resolve }: DomainCheck, publish: string): Promise<Finding> {
  const answer = await askDns(resolve, domain, 'MX');
  if (answer.outcome === 'no-answer') return { level: 'missing', what: `${domain}: ${answer.reason}` };
  const hosts = answer.records.map((one) => String(Object(one)['exchange'] ?? '').toLowerCase());
  if (hosts.includes(config.hostname)) {
    return { level: 'ok', what: `${domain}: its mail comes to ${config.hostname} (MX)` };
  }
  const what = `${domain}: its mail does not come here (MX ${hosts.join(', ') || 'is not there'})`;
  return { level: 'missing', what, publish };
}

async function checkDkim(checked: DomainCheck): Promise<readonly Finding[]> {
  const { config, domain } = checked;
  const keys = Object.entries(config.domains).find(([name]) => name === domain)?.[1].dkim ?? [];
  if (keys.length === 0) {
    return [{ level: 'advice', what: `${domain}: mail is not signed; "pillarbox dkim new ${domain}" makes keys` }];
  }
  return Promise.all(keys.map((key) => checkKey(checked, key)));
}

async function checkKey(
  { domain, resolve, secrets }: DomainCheck,
  { selector, privateKey }: { readonly selector: string; readonly privateKey: string },
): Promise<Finding> {
  const what = `${domain}: DKIM key ${selector}`;
  try {
    const publicKey = createPublicKey(await secrets.read(privateKey));
    const record = dkimRecord({ domain, selector, publicKey });
    const answer = await askTexts(resolve, record.name);
    if (answer.outcome === 'no-answer') return { level: 'missing', what: `${what}: ${answer.reason}` };
    const published = answer.records.map((text) => text.replace(/\s+/g, ''));
    if (published.some((text) => text.includes(`p=${publicKeyText(publicKey)}`))) {
      return { level: 'ok', what: `${what} is published` };
    }
    const other = published.length === 0 ? 'is not published' : 'is published, but is another key';
    return { level: 'missing', what: `${what} ${other}`, publish: recordText(record) };
  } catch (thrown) {
    return { level: 'missing', what: `${what}: ${thrown instanceof Error ? thrown.message : String(thrown)}` };
  }
}

type Wanted = { readonly pattern: RegExp; readonly what: string; readonly publish: string };

/** There must be one such record: several count as none (RFC 7208 §4.5, RFC 9989 §4.10, RFC 8461 §3.1). */
async function oneText(resolve: Resolve, name: string, { pattern, what, publish }: Wanted): Promise<Finding> {
  const answer = await askTexts(resolve, name);
  if (answer.outcome === 'no-answer') return { level: 'missing', what: `${what}: ${answer.reason}` };
  const found = answer.records.filter((text) => pattern.test(text));
  if (found.length === 1) return { level: 'ok', what: `${what}: ${found[0]}` };
  if (found.length === 0) return { level: 'missing', what: `${what}: no record`, publish };
  return { level: 'missing', what: `${what}: ${found.length} records, which counts as none: keep one` };
}
