// The DNS records that mail needs, as in a zone file: DKIM (RFC 6376 §3.6.1, RFC 8463 §4), SPF (RFC 7208), DMARC (RFC 9989).

import type { KeyObject } from 'node:crypto';
import type { Config } from '#pipeline/config/config.ts';
import type { DnsRecord } from './dns-record.ts';
import { type WantedSpf, type WayOut, wantedSpf } from './way-out.ts';

type DkimKey = { readonly domain: string; readonly selector: string; readonly publicKey: KeyObject };

export function dkimRecord({ domain, selector, publicKey }: DkimKey): DnsRecord {
  const kind = publicKey.asymmetricKeyType === 'ed25519' ? 'ed25519' : 'rsa';
  const value = `v=DKIM1; k=${kind}; p=${publicKeyText(publicKey)}`;
  return txt(`${selector}._domainkey.${domain}`, value, 'the key that signatures are checked with');
}

function txt(name: string, value: string, about: string): DnsRecord {
  return { name, type: 'TXT', value, about };
}

/** `p=` of a key: all of its SPKI for RSA, the last 32 bytes of it for Ed25519 (RFC 8463 §4.2). */
export function publicKeyText(publicKey: KeyObject): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return (publicKey.asymmetricKeyType === 'ed25519' ? spki.subarray(-32) : spki).toString('base64');
}

type SpfParts = {
  readonly domain: string;
  readonly wanted: readonly Pick<WantedSpf, 'terms' | 'isCertain' | 'who'>[];
  readonly record: string | null;
};

/** The SPF record of a domain whose mail leaves by these ways. `record`: the existing one, whose terms are kept, or null. */
export function spfRecord({ domain, wanted, record }: SpfParts): DnsRecord {
  const terms = wanted.map((one) => one.terms[0] ?? 'include:THE-INCLUDE-OF-YOUR-RELAY').join(' ');
  const kept = record === null ? ' -all' : record.replace(/^v=spf1/i, '');
  const who = wanted.length === 0 ? 'as before' : wanted.map((one) => one.who).join(', ');
  const guess = wanted.find(({ isCertain }) => !isCertain);
  const ask = guess === undefined ? '' : `; ask the operator of ${guess.who} for its include, this is a guess`;
  return txt(
    domain,
    `v=spf1 ${terms}${kept}`.replace(/ {2,}/g, ' '),
    `who may send for it: ${who} (add whoever else does)${ask}`,
  );
}

type Suggesting = { readonly config: Config; readonly ways: readonly WayOut[]; readonly nowMs: number };

/** What a domain should publish beside its keys. `ways`: how its mail leaves. */
export function suggestedRecords(
  domain: string,
  { config: { hostname }, ways, nowMs }: Suggesting,
): { readonly [Name in 'mx' | 'spf' | 'dmarc' | 'mtaSts']: DnsRecord } {
  return {
    mx: { name: domain, type: 'MX', value: `10 ${hostname}.`, about: 'where its mail goes' },
    spf: spfRecord({ domain, wanted: ways.map(wantedSpf), record: null }),
    dmarc: txt(
      `_dmarc.${domain}`,
      `v=DMARC1; p=none; rua=mailto:postmaster@${domain}`,
      'what receivers do with forgeries: p=quarantine or p=reject once the reports look right',
    ),
    mtaSts: txt(
      `_mta-sts.${domain}`,
      `v=STSv1; id=${new Date(nowMs).toISOString().replace(/[-:T]|\..*/g, '')}`,
      'mail to it comes over proven TLS only; another id with every change of the policy',
    ),
  };
}

/** The MTA-STS policy, and where it must be (RFC 8461 §3.2, §3.3). */
export function stsPolicyText(domain: string, hostname: string): string {
  const policy = ['version: STSv1', 'mode: testing', `mx: ${hostname}`, 'max_age: 604800'];
  const where = `With it, at https://mta-sts.${domain}/.well-known/mta-sts.txt (which needs a trusted certificate), the policy:`;
  return [where, ...policy.map((line) => `  ${line}`)].join('\n');
}
