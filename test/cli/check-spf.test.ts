// SPF of a domain against the way by which its mail really leaves: what is published must name it, and what is to be published is said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSpf } from '#cli/checks/check-spf.ts';
import { waysOut } from '#cli/dns/way-out.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { mendText } from '#test/support/samples/finding-text.ts';

const outbound = '192.0.2.9';
const ses = 'email-smtp.eu-west-1.amazonaws.com';
const txt = (...texts: string[]) => ({ TXT: texts.map((text) => [text]) });
const many = (count: number): string => Array.from({ length: count }, (_, n) => `include:s${n}.example`).join(' ');
const manyZones: Zone = Object.fromEntries(
  Array.from({ length: 12 }, (_, n) => [`s${n}.example`, txt('v=spf1 ip4:198.51.100.1 -all')]),
);

const cases: readonly {
  readonly title: string;
  readonly relay?: string;
  readonly outbound?: string | null;
  readonly zone?: Zone;
  readonly level: 'ok' | 'advice' | 'missing';
  readonly says?: RegExp;
  readonly publish?: RegExp;
}[] = [
  {
    title: 'directly from the address of a NAT gateway, no record',
    level: 'missing',
    says: /no record$/,
    publish: /^a\.example\. TXT "v=spf1 ip4:192\.0\.2\.9 -all"$/m,
  },
  {
    title: 'directly, a record of others is kept',
    zone: {
      'a.example': txt('v=spf1 include:news.example ~all'),
      'news.example': txt('v=spf1 ip4:198.51.100.0/24 -all'),
    },
    level: 'missing',
    says: /does not name the outbound address 192\.0\.2\.9, by which mail leaves$/,
    publish: /"v=spf1 ip4:192\.0\.2\.9 include:news\.example ~all"$/,
  },
  {
    title: 'directly, the address is in a network of an include',
    zone: { 'a.example': txt('v=spf1 include:news.example -all'), 'news.example': txt('v=spf1 ip4:192.0.2.0/28 -all') },
    level: 'ok',
  },
  {
    title: 'directly, the address is that of a name',
    zone: { 'a.example': txt('v=spf1 a:out.mx.a.example -all'), 'out.mx.a.example': { A: [outbound] } },
    level: 'ok',
  },
  {
    title: 'directly, the address is named as one that fails',
    zone: { 'a.example': txt('v=spf1 -ip4:192.0.2.9 ?all') },
    level: 'missing',
  },
  {
    title: 'directly, after a redirect',
    zone: { 'a.example': txt('v=spf1 redirect=all.example'), 'all.example': txt('v=spf1 ip4:192.0.2.9 -all') },
    level: 'ok',
  },
  {
    title: 'by SES',
    relay: ses,
    outbound: null,
    level: 'advice',
    publish: /the relay email-smtp\.eu-west-1[\s\S]*"v=spf1 include:amazonses\.com -all"$[\s\S]*passes without it/m,
  },
  {
    title: 'by SES, and by an address after an edit: one record names both',
    relay: ses,
    level: 'advice',
    publish: /"v=spf1 include:amazonses\.com ip4:192\.0\.2\.9 -all"$[\s\S]*passes without it/m,
  },
  {
    title: 'by SES, which is named, and the address is not yet',
    relay: ses,
    zone: {
      'a.example': txt('v=spf1 include:amazonses.com -all'),
      'amazonses.com': txt('v=spf1 ip4:199.255.192.0/22 -all'),
    },
    level: 'advice',
    says: /does not name the outbound address 192\.0\.2\.9, by which mail may leave too$/,
    publish: /"v=spf1 ip4:192\.0\.2\.9 include:amazonses\.com -all"$/,
  },
  {
    title: 'by SES, and one include more is one too many',
    relay: ses,
    outbound: null,
    zone: { ...manyZones, 'a.example': txt(`v=spf1 ${many(10)} -all`) },
    level: 'advice',
    publish: /makes receivers ask the DNS 11 times; after 10 it counts for nothing; take out includes/,
  },
  {
    title: 'by SES, which is named, but receivers give up before they are done',
    relay: ses,
    outbound: null,
    zone: { ...manyZones, 'a.example': txt(`v=spf1 include:amazonses.com ${many(11)} -all`) },
    level: 'advice',
    says: /makes receivers ask the DNS 12 times/,
  },
  {
    title: 'two records, which count as none',
    zone: { 'a.example': txt('v=spf1 -all', 'v=spf1 ip4:192.0.2.9 -all') },
    level: 'missing',
    says: /2 records, which counts as none$/,
  },
  {
    title: 'from this server, by its MX',
    outbound: null,
    zone: {
      'a.example': { ...txt('v=spf1 mx -all'), MX: [{ exchange: 'mx.a.example', priority: 10 }] },
      'mx.a.example': { A: ['192.0.2.25'] },
    },
    level: 'ok',
  },
  {
    title: 'from this server, which may have another address for what it sends',
    outbound: null,
    zone: { 'a.example': txt('v=spf1 ip4:198.51.100.7 -all'), 'mx.a.example': { A: ['192.0.2.25'] } },
    level: 'advice',
    publish: /"v=spf1 a:mx\.a\.example ip4:198\.51\.100\.7 -all"$/,
  },
];
for (const { title, relay, outbound: address = outbound, zone = {}, level, says, publish } of cases) {
  test(`mail leaves ${title}: ${level}`, async () => {
    const delivery = relay === undefined ? {} : { mode: 'smarthost' as const, smarthost: { host: relay } };
    const config = configSchema.parse({ hostname: 'mx.a.example', delivery });
    const found = await checkSpf({ domain: 'a.example', ways: waysOut(config, address) }, zoneResolver(zone));
    assert.equal(found.level, level, found.what);
    assert.match(found.what, says ?? /./);
    assert.match(mendText(found!), publish ?? /(?:)/);
  });
}
