// `check` as a doctor: of each of the usual mistakes it names what is wrong, the record to publish in full, and the command or the setting
// that mends it; with that published, it is content.
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Finding } from '#cli/checks/finding.ts';
import { publicKeyText } from '#cli/dns/dns-records.ts';
import { makeSelfSigned } from '#container/tls/certificate.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { freePort } from '#test/support/peers/free-port.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const now = Date.parse('2026-11-21T03:00:00.000Z');
const day = 86_400_000;
const address = '198.51.100.7';
let directory: string;
let publicKey = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pillarbox-doctor-'));
  const pem = await makeSelfSigned('mx.a.example', now);
  await writeFile(join(directory, 'cert.pem'), pem.certificate);
  await writeFile(join(directory, 'key.pem'), pem.key);
  const key = createPrivateKey(await readFile(join(directory, 'key.pem')));
  publicKey = publicKeyText(createPublicKey(key));
});
after(() => rm(directory, { recursive: true }));

const config = {
  hostname: 'mx.a.example',
  listeners: [{ role: 'mx', host: '127.0.0.1', port: 2525 }],
  tls: { certificate: 'file:cert.pem', key: 'file:key.pem' },
  domains: { 'a.example': { mailboxes: ['ann'], dkim: [{ selector: 's1', privateKey: 'file:key.pem' }] } },
} satisfies ConfigInput;
const dkim = () => `v=DKIM1; k=${publicKey.length > 100 ? 'rsa' : 'ed25519'}; p=${publicKey}`;
const ptr = '7.100.51.198.in-addr.arpa';

/** Without a fault. */
const healthy = (): Zone => ({
  'a.example': { MX: [{ exchange: 'mx.a.example', priority: 10 }], TXT: ['v=spf1 mx -all'] },
  'mx.a.example': { A: [address], TXT: ['v=spf1 a -all'] },
  [ptr]: { PTR: ['mx.a.example'] },
  's1._domainkey.a.example': { TXT: [dkim()] },
  '_dmarc.a.example': { TXT: ['v=DMARC1; p=reject; rua=mailto:ann@a.example'] },
  '_mta-sts.a.example': { TXT: ['v=STSv1; id=1'] },
});

type Given = { zone?: Zone; nowMs?: number; machine?: readonly string[]; args?: readonly string[] };

async function check({ zone = {}, nowMs = now, machine = [address], args = [] }: Given) {
  await writeFile(join(directory, 'mail.json'), JSON.stringify(config));
  const { code, out, err } = await runInProcess(['check', '--json', '--config', 'mail.json', ...args], {
    directory,
    clock: () => nowMs,
    publicAddresses: () => machine,
    openResolver: () => ({ resolve: zoneResolver({ ...healthy(), ...zone }), close: () => {} }),
  });
  assert.notEqual(out, '', err);
  return { code, findings: JSON.parse(out).findings as readonly Finding[] };
}

const includes = (count: number): string => Array.from({ length: count }, (_, n) => `include:s${n}.example`).join(' ');
const senders: Zone = Object.fromEntries(
  Array.from({ length: 12 }, (_, n) => [`s${n}.example`, { TXT: ['v=spf1 ip4:203.0.113.1 -all'] }]),
);
const blockedPort = await freePort();

const cases: readonly ({
  title: string;
  level: Finding['level'];
  what: RegExp;
  /** `name TYPE value`. */
  publish?: () => readonly string[];
  run?: readonly string[];
  hint?: RegExp;
} & Given)[] = [
  {
    title: 'a domain of its own without SPF',
    zone: { 'a.example': { MX: [{ exchange: 'mx.a.example', priority: 10 }] } },
    level: 'missing',
    what: /^a\.example: SPF: no record$/,
    publish: () => ['a.example TXT v=spf1 a:mx.a.example -all'],
  },
  {
    title: 'a DKIM key under another selector than the configuration has',
    zone: { 's1._domainkey.a.example': {}, 's2._domainkey.a.example': { TXT: ['v=DKIM1; k=rsa; p=AAAA'] } },
    level: 'missing',
    what: /^a\.example: DKIM key s1 is not published$/,
    publish: () => [`s1._domainkey.a.example TXT ${dkim()}`],
  },
  {
    title: 'another DKIM key under its selector',
    zone: { 's1._domainkey.a.example': { TXT: ['v=DKIM1; k=rsa; p=AAAA'] } },
    level: 'missing',
    what: /^a\.example: DKIM key s1 is published, but is another key$/,
    publish: () => [`s1._domainkey.a.example TXT ${dkim()}`],
    hint: /^In place of what is there\.$/,
  },
  {
    title: 'an MX that leads elsewhere',
    zone: { 'a.example': { MX: [{ exchange: 'mx.old.example', priority: 5 }], TXT: ['v=spf1 a:mx.a.example -all'] } },
    level: 'missing',
    what: /^a\.example: its mail does not come here \(MX mx\.old\.example\)$/,
    publish: () => ['a.example MX 10 mx.a.example.'],
    hint: /^Take out MX mx\.old\.example: /,
  },
  {
    title: 'an MX that another one is preferred to',
    zone: {
      'a.example': {
        MX: [
          { exchange: 'mx.a.example', priority: 10 },
          { exchange: 'mx.old.example', priority: 5 },
        ],
        TXT: ['v=spf1 a:mx.a.example -all'],
      },
    },
    level: 'advice',
    what: /^a\.example: its mail goes to mx\.old\.example before it comes to mx\.a\.example \(MX\)$/,
    hint: /^Take out MX mx\.old\.example: /,
  },
  {
    title: 'DMARC with p=none',
    zone: { '_dmarc.a.example': { TXT: ['v=DMARC1; p=none; rua=mailto:ann@a.example; adkim=s'] } },
    level: 'advice',
    what: /DMARC: v=DMARC1; p=none.* asks receivers to let forgeries pass$/,
    publish: () => ['_dmarc.a.example TXT v=DMARC1; p=quarantine; rua=mailto:ann@a.example; adkim=s'],
    hint: /^Once the reports show that your own mail passes\.$/,
  },
  {
    title: 'DMARC with p=none and no reports',
    zone: { '_dmarc.a.example': { TXT: ['v=DMARC1;p=none'] } },
    level: 'advice',
    what: /DMARC: v=DMARC1;p=none asks receivers/,
    publish: () => ['_dmarc.a.example TXT v=DMARC1; p=quarantine; rua=mailto:postmaster@a.example'],
    hint: /^Nobody gets reports: publish rua=mailto:postmaster@a\.example with p=none first/,
  },
  {
    title: 'an address without PTR',
    zone: { [ptr]: {} },
    level: 'advice',
    what: /^198\.51\.100\.7 does not lead back to mx\.a\.example \(PTR is not there\): many receivers refuse/,
    publish: () => [`${ptr} PTR mx.a.example.`],
  },
  {
    title: 'port 25 that is blocked',
    args: ['--connect', `127.0.0.1:${blockedPort}`],
    level: 'missing',
    what: /^127\.0\.0\.1: port \d+ cannot be reached: /,
    hint: /outbound port 25,\nor send over a relay, by "delivery": \{ "mode": "smarthost", "smarthost": \{ "host": "RELAY"/,
  },
  {
    title: 'a name in HELO that is another machine',
    zone: {
      'mx.a.example': { A: ['203.0.113.99'], TXT: ['v=spf1 ip4:198.51.100.7 -all'] },
      [ptr]: { PTR: ['vm7.b.example'] },
      'vm7.b.example': { A: [address] },
    },
    level: 'advice',
    what: /^mx\.a\.example is at 203\.0\.113\.99, and this machine at 198\.51\.100\.7: in HELO it says a name that is not its own$/,
    publish: () => ['mx.a.example A 198.51.100.7'],
    hint: /^Or set "hostname" to the name of this machine, vm7\.b\.example\./,
  },
  {
    title: 'a certificate that ended',
    nowMs: now + 3_700 * day,
    level: 'missing',
    what: /^the certificate ended on /,
    run: ['certbot certonly --standalone --domain mx.a.example'],
    hint: /file:cert\.pem and file:key\.pem say/,
  },
  {
    title: 'two SPF records',
    zone: {
      'a.example': {
        MX: [{ exchange: 'mx.a.example', priority: 10 }],
        TXT: [
          'v=spf1 mx ip4:203.0.113.0/24 -all',
          'v=spf1 MX include:s1.example redirect=s2.example',
          'v=spf1 ip4:203.0.113.0/24 ~all',
        ],
      },
      ...senders,
    },
    level: 'missing',
    what: /^a\.example: SPF: 3 records, which counts as none$/,
    publish: () => ['a.example TXT v=spf1 mx ip4:203.0.113.0/24 include:s1.example include:s2.example ~all'],
    hint: /^In place of all of them/,
  },
  {
    title: 'two SPF records, neither of which names this server',
    zone: {
      'a.example': {
        MX: [{ exchange: 'mx.a.example', priority: 10 }],
        TXT: ['v=spf1 -all', 'v=spf1 ip4:203.0.113.1 -all'],
      },
    },
    level: 'missing',
    what: /2 records/,
    publish: () => ['a.example TXT v=spf1 a:mx.a.example ip4:203.0.113.1 -all'],
    hint: /^In place of all of them/,
  },
  {
    title: 'two DMARC records',
    zone: { '_dmarc.a.example': { TXT: ['v=DMARC1; p=reject', 'v=DMARC1; p=none'] } },
    level: 'missing',
    what: /^a\.example: DMARC: 2 records, which counts as none$/,
    publish: () => ['_dmarc.a.example TXT v=DMARC1; p=reject'],
    hint: /^Take the others out of _dmarc\.a\.example\.$/,
  },
  {
    title: 'SPF that asks the DNS more than ten times, for hosts of its own and what is gone',
    zone: {
      'a.example': {
        MX: [{ exchange: 'mx.a.example', priority: 10 }],
        TXT: [`v=spf1 mx a:mx.a.example include:gone.example ${includes(9)} ~all`],
      },
      ...senders,
    },
    level: 'missing',
    what: /makes receivers ask the DNS 12 times; after 10 it counts for nothing$/,
    publish: () => [`a.example TXT v=spf1 ip4:${address} ${includes(9)} ~all`],
    hint: /^Change it when one of these addresses changes\.$/,
  },
  {
    title: 'SPF that asks the DNS more than ten times, for others',
    zone: {
      'a.example': {
        MX: [{ exchange: 'mx.a.example', priority: 10 }],
        TXT: [`v=spf1 mx include:big.example ${includes(8)} ~all`],
      },
      'big.example': { TXT: [`v=spf1 ${includes(2)} -all`] },
      ...senders,
    },
    level: 'missing',
    what: /makes receivers ask the DNS 12 times/,
    hint: /send by some of them from a subdomain.* Questions of each: include:big\.example 3, include:s0\.example 1, /,
  },
];

test('a domain without a fault has none', async () => {
  const { code, findings } = await check({});
  // What listens here can be reached from here alone: names below .example are no names for others.
  const faults = findings.filter(
    ({ level, what }) => level !== 'ok' && !what.startsWith('mail comes in at 127.0.0.1:2525'),
  );
  assert.deepEqual([code, faults], [0, []]);
});

for (const { title, level, what, publish = () => [], run = [], hint = /^$/, ...given } of cases) {
  test(`${title}: what is wrong, what to publish, what to run`, async () => {
    const { code, findings } = await check(given);
    const faults = findings.filter((one) => one.level !== 'ok');
    const found = faults.find((one) => what.test(one.what));
    assert.ok(found, faults.map((one) => one.what).join('\n'));
    assert.equal(found.level, level);
    assert.deepEqual(
      found.records.map(({ name, type, value }) => `${name} ${type} ${value}`),
      publish(),
    );
    assert.deepEqual(found.run, run);
    assert.match(found.hint ?? '', hint);
    assert.equal(code, faults.some((one) => one.level === 'missing') ? 3 : 0);
  });
}
