// `pillarbox check` against a real DNS server: it says what to publish, and is content once that is published.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { checkListeners } from '#cli/checks/check-listeners.ts';
import type { Finding } from '#cli/checks/finding.ts';
import { makeSelfSigned } from '#container/tls/certificate.ts';
import { createResolver } from '#pipeline/dns/resolver.ts';
import { type DnsZone, startDns } from '#test/support/peers/peer-dns.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { startScriptedDns } from '#test/support/peers/scripted-dns.ts';
import { mendText } from '#test/support/samples/finding-text.ts';
import { oldHash, openSesameHash } from '#test/support/samples/password-hashes.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const now = Date.parse('2026-11-21T03:00:00.000Z');
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pillarbox-check-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function check(
  options: {
    dns?: string;
    clock?: number;
    args?: string[];
    tls?: object;
    users?: object[];
    relay?: string;
    hooks?: object[];
    timeoutSeconds?: number;
  } = {},
): Promise<{ code: number; findings: Finding[] }> {
  const { dns = '127.0.0.1:1', clock = now, args = [], tls, relay } = options;
  const dkim = [{ selector: 's1', privateKey: 'file:key.pem' }];
  const config = {
    hostname: 'mx.a.example',
    domains: { 'a.example': { mailboxes: ['ann'], dkim } },
    dns: { servers: [dns], timeoutSeconds: options.timeoutSeconds ?? 2 },
    ...(tls === undefined ? {} : { tls }),
    users: options.users ?? [],
    hooks: options.hooks ?? [],
    ...(relay === undefined ? {} : { delivery: { mode: 'smarthost', smarthost: { host: relay } } }),
  };
  await writeFile(join(directory, 'pillarbox.json'), JSON.stringify(config));
  const ran = await runInProcess(['check', '--json', ...args], { directory, clock: () => clock });
  return { code: ran.code, findings: JSON.parse(ran.out).findings };
}

async function withZone<T>(zone: DnsZone, use: (server: string) => Promise<T>): Promise<T> {
  const dns = await startDns(zone);
  try {
    return await use(dns.server);
  } finally {
    dns.close();
  }
}

/** The zone that the findings ask for. */
function publishedZone(findings: readonly Finding[], address: string): DnsZone {
  const of = (wanted: string) => findings.flatMap(({ records }) => records).filter(({ type }) => type === wanted);
  return {
    a: Object.fromEntries(of('A').map(({ name }) => [name, address])),
    mx: Object.fromEntries(of('MX').map(({ name, value }) => [name, [value.replace(/\.$/, '')]])),
    txt: Object.fromEntries(of('TXT').map(({ name, value }) => [name, value])),
  };
}

test(
  'of an empty zone every record is missing, and once what it says is published all is well',
  peerOptions('dnsmasq'),
  async () => {
    const { key } = await makeSelfSigned('mx.a.example', now);
    await writeFile(join(directory, 'key.pem'), key);
    const { findings: before, code } = await withZone({}, (dns) => check({ dns }));
    assert.equal(code, 3);
    const missing = before.filter(({ level }) => level === 'missing').map(({ what }) => what);
    for (const word of [
      'no address',
      'MX is not there',
      'SPF: no record',
      'DKIM key s1 is not published',
      'DMARC: no record',
    ]) {
      assert.ok(
        missing.some((what) => what.includes(word)),
        word,
      );
    }
    assert.ok(before.some(({ level, what }) => level === 'advice' && what.includes('MTA-STS: no record')));
    const zone = publishedZone(before, '192.0.2.25');
    const { findings: after, code: good } = await withZone(zone, (dns) => check({ dns }));
    assert.deepEqual(
      after.filter(({ level }) => level !== 'ok').map(({ what }) => what),
      [
        'no certificate is configured (tls): one is made by the server itself, which few peers trust',
        'mail comes in at 127.0.0.1:2525, which only this machine reaches; other servers call port 25',
        'a.example: DMARC: v=DMARC1; p=none; rua=mailto:postmaster@a.example asks receivers to let forgeries pass',
      ],
    );
    assert.equal(good, 0);
    assert.ok(after.some(({ what }) => what === '192.0.2.25 leads back to mx.a.example (PTR)'));
  },
);

test('records that lead elsewhere, or count as none, are named as that', peerOptions('dnsmasq'), async () => {
  const { key } = await makeSelfSigned('mx.a.example', now);
  await writeFile(join(directory, 'key.pem'), key);
  const zone: DnsZone = {
    a: { 'other.example': '192.0.2.25', 'mx.a.example': '192.0.2.25' },
    mx: { 'a.example': ['10 other.example'] },
    txt: { 's1._domainkey.a.example': 'v=DKIM1; p=AAAA', 'a.example': 'not SPF' },
  };
  const { findings } = await withZone(zone, (dns) => check({ dns }));
  const whats = findings.map(({ what }) => what).join('\n');
  assert.match(whats, /its mail does not come here \(MX other\.example\)/);
  assert.match(whats, /DKIM key s1 is published, but is another key/);
  assert.match(whats, /192\.0\.2\.25 does not lead back to mx\.a\.example \(PTR other\.example\)/);
  const pointer = findings.find(({ what }) => what.includes('PTR other'));
  assert.match(mendText(pointer!), /^25\.2\.0\.192\.in-addr\.arpa\. PTR mx\.a\.example\.$/m);
});

test('a DNS that fails is not reported as a missing record', peerOptions('dnsmasq'), async () => {
  const { findings, code } = await withZone({ refused: ['a.example'] }, (dns) => check({ dns }));
  assert.equal(code, 3);
  for (const { what, records } of findings.filter(({ what: text }) => /SPF|DMARC|MX/.test(text))) {
    assert.match(what, /the DNS did not answer/);
    assert.deepEqual(records, []);
  }
});

const deadServers: readonly {
  readonly title: string;
  /** Null: nothing listens there. */
  readonly rcode: number | null;
  readonly isMute?: boolean;
  readonly why: RegExp;
  readonly todo: RegExp;
}[] = [
  {
    title: 'nothing listens there',
    rcode: null,
    why: /the server cannot be reached \(ECONNREFUSED\)/,
    todo: /^Is this machine on a network/,
  },
  {
    title: 'it never answers',
    rcode: 0,
    isMute: true,
    why: /no answer within 1 s/,
    todo: /^Is this machine on a network/,
  },
  { title: 'it refuses', rcode: 5, why: /the server refuses to answer \(REFUSED\)/, todo: /a resolver is needed/ },
  {
    title: 'it fails',
    rcode: 2,
    why: /the server answers that it failed \(SERVFAIL\)/,
    todo: /^It cannot ask the DNS/,
  },
];

for (const { title, rcode, isMute = false, why, todo } of deadServers) {
  test(`a DNS that answers nothing is told once, with the server, why, and what to do: ${title}`, async (t) => {
    const { key } = await makeSelfSigned('mx.a.example', now);
    await writeFile(join(directory, 'key.pem'), key);
    const dns = await startScriptedDns(() => (isMute ? null : 0), {}, rcode ?? 0);
    if (rcode === null) dns.close();
    else t.after(dns.close);
    const { findings, code } = await check({ dns: dns.server, timeoutSeconds: 1 });
    assert.equal(code, 3);
    const [found, ...others] = findings.filter(({ level }) => level === 'missing' || level === 'unknown');
    assert.deepEqual(others, []);
    assert.equal(found?.level, 'unknown');
    assert.match(found!.what, /^the DNS cannot be asked: /);
    assert.match(found!.what, why);
    assert.ok(
      found!.what.endsWith(`(${dns.server}, in dns.servers of ${join(directory, 'pillarbox.json')})`),
      found!.what,
    );
    const hint = found!.hint ?? '';
    assert.match(hint, todo);
    assert.match(hint, /^Not known, and so not checked: the records of mx\.a\.example, a\.example\.$/m);
    const asked = [...new Set(dns.asked)].sort();
    if (isMute)
      assert.deepEqual(asked, ['com', 'mx.a.example'], 'after two names had no answer in time none is waited for');
  });
}

test('a DNS that knows none of the names has answered: their records are missing', async (t) => {
  const dns = await startScriptedDns(() => 0);
  t.after(dns.close);
  const { findings, code } = await check({ dns: dns.server });
  assert.equal(code, 3);
  assert.ok(findings.some(({ level, what }) => level === 'missing' && /^mx\.a\.example has no address/.test(what)));
  assert.ok(findings.every(({ level }) => level !== 'unknown'));
});

test('without servers in the configuration those of the machine are named', async (t) => {
  const dns = await startScriptedDns(() => 0, {}, 5);
  t.after(dns.close);
  await writeFile(
    join(directory, 'pillarbox.json'),
    JSON.stringify({ domains: { 'a.example': { mailboxes: ['ann'] } } }),
  );
  const ran = await runInProcess(['check'], {
    directory,
    dnsServers: () => ['192.0.2.53'],
    openResolver: ({ timeoutMs }) => createResolver({ servers: [dns.server], timeoutMs, clock: Date.now }),
  });
  assert.match(
    ran.out,
    /^UNKNOWN {2}the DNS cannot be asked: .* \(192\.0\.2\.53, of this machine \(\/etc\/resolv\.conf\)\)$/m,
  );
});

test('the certificate: for another host, about to end, ended, without its key', async () => {
  const pem = await makeSelfSigned('mx.a.example', now);
  const other = await makeSelfSigned('mx.b.example', now);
  await writeFile(join(directory, 'cert.pem'), pem.certificate);
  await writeFile(join(directory, 'key.pem'), pem.key);
  await writeFile(join(directory, 'other.pem'), other.certificate);
  await writeFile(join(directory, 'other-key.pem'), other.key);
  const tls = { certificate: 'file:cert.pem', key: 'file:key.pem' };
  const end = Date.parse('2036-11-21T03:00:00.000Z');
  const day = 86_400_000;
  const cases = [
    { tls, clock: now, level: 'ok', says: /good for 36\d\d days/ },
    { tls, clock: end - 3 * day, level: 'advice', says: /good for [23] days/ },
    { tls, clock: end + day, level: 'missing', says: /the certificate ended on/ },
    { tls: { ...tls, key: 'file:other-key.pem' }, clock: now, level: 'missing', says: /the key does not belong/ },
    {
      tls: { certificate: 'file:other.pem', key: 'file:other-key.pem' },
      clock: now,
      level: 'missing',
      says: /is not for mx\.a\.example/,
    },
    { tls: { ...tls, certificate: 'file:none.pem' }, clock: now, level: 'missing', says: /cannot be used/ },
  ];
  for (const { tls: given, clock, level, says } of cases) {
    const { findings } = await check({ tls: given, clock });
    const found = findings.find(({ what }) => what.includes('certificate') || what.includes('the key does'));
    assert.match(found!.what, says);
    assert.equal(found!.level, level, found!.what);
  }
});

test('--connect tells a server that answers from one that does not', async (t) => {
  const server = createServer((socket) => socket.end('220 mx.far.example ESMTP\r\n')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const good = await check({ args: ['--connect', `127.0.0.1:${port}`] });
  assert.ok(good.findings.some(({ level, what }) => level === 'ok' && what.endsWith('220 mx.far.example ESMTP')));
  server.close();
  await new Promise((resolve) => server.once('close', resolve));
  const bad = await check({ args: ['--connect', `127.0.0.1:${port}`] });
  assert.ok(bad.findings.some(({ level, what }) => level === 'missing' && what.includes('cannot be reached')));
});

test('users with an old hash are named, and a file with hashes that others can read', async () => {
  const [before, today] = [oldHash('open sesame'), openSesameHash];
  const users = [before, today, 'file:hash'].map((password, n) => ({
    name: `u${n}`,
    password,
    mayFrom: ['*@a.example'],
  }));
  await writeFile(join(directory, 'hash'), `${before}\n`);
  const { findings } = await check({ users });
  const advice = findings.filter(({ level }) => level === 'advice').map(({ what }) => what);
  assert.ok(advice.includes('passwords with an old, cheap hash: u0, u2'), advice.join('\n'));
  assert.ok(advice.some((what) => /has password hashes and can be read by others \(mode 6[0-7]{2}\)/.test(what)));
});

const ses = 'email-smtp.eu-west-1.amazonaws.com';
const relays: readonly {
  readonly title: string;
  readonly relay: string;
  readonly txt: Readonly<Record<string, string>>;
  readonly level: 'ok' | 'advice' | 'missing';
  readonly publish?: RegExp;
}[] = [
  { title: 'no record', relay: ses, txt: {}, level: 'advice', publish: /"v=spf1 include:amazonses\.com -all"$/m },
  {
    title: 'a record of this server alone',
    relay: ses,
    txt: { 'a.example': 'v=spf1 a:mx.a.example ~all' },
    level: 'advice',
    publish: /"v=spf1 include:amazonses\.com a:mx\.a\.example ~all"$/m,
  },
  {
    title: 'a record with the include',
    relay: ses,
    txt: { 'a.example': 'v=spf1 mx include:amazonses.com -all' },
    level: 'ok',
  },
  {
    title: 'the include in an include',
    relay: ses,
    txt: { 'a.example': 'v=spf1 include:all.b.example -all', 'all.b.example': 'v=spf1 +include:amazonses.com ~all' },
    level: 'ok',
  },
  {
    title: 'a relay that has a record for its customers',
    relay: 'smtp.relay.example',
    txt: { '_spf.relay.example': 'v=spf1 ip4:192.0.2.0/24 -all' },
    level: 'missing',
    publish: /ask the operator of the relay smtp\.relay\.example[\s\S]*"v=spf1 include:_spf\.relay\.example -all"$/,
  },
  {
    title: 'a relay of which nothing is known',
    relay: 'smtp.relay.example',
    txt: { 'a.example': 'v=spf1 a:mx.a.example -all' },
    level: 'advice',
    publish: /this is a guess[\s\S]*"v=spf1 a:smtp\.relay\.example a:mx\.a\.example -all"$/,
  },
  {
    title: 'the address of the relay',
    relay: 'smtp.relay.example',
    txt: { 'a.example': 'v=spf1 ip4:192.0.2.77 -all' },
    level: 'ok',
  },
  {
    title: 'a relay on this machine',
    relay: '127.0.0.1',
    txt: {},
    level: 'missing',
    publish: /"v=spf1 include:THE-INCLUDE-OF-YOUR-RELAY -all"$/,
  },
];
for (const { title, relay, txt, level, publish } of relays) {
  test(
    `SPF where mail leaves by a relay, ${title}: ${level}; nobody looks for a PTR`,
    peerOptions('dnsmasq'),
    async () => {
      const a = { 'mx.a.example': '192.0.2.25', 'smtp.relay.example': '192.0.2.77' };
      const { findings } = await withZone({ a, txt }, (dns) => check({ dns, relay }));
      const spf = findings.find(({ what }) => what.startsWith('a.example: SPF'));
      assert.equal(spf?.level, level, spf?.what);
      assert.match(mendText(spf!), publish ?? /^$/);
      assert.ok(findings.every(({ what }) => !what.includes('PTR')));
    },
  );
}

test('a module of a hook that is not there, and a secret for its environment, are missing', async () => {
  await writeFile(join(directory, 'there.mjs'), '');
  const { findings } = await check({
    hooks: [
      { name: 'there', module: 'there.mjs', environment: { TABLE: 'tickets' } },
      { name: 'tickets', module: 'gone.mjs', environment: { TOKEN: 'file:token' } },
    ],
  });
  const about = findings.filter(({ what }) => what.startsWith('hooks')).map(({ level, what }) => [level, what]);
  assert.equal(about.length, 2);
  assert.match(about.join('\n'), /missing,hooks, tickets\.environment\.TOKEN cannot be used: .*token/);
  assert.match(about.join('\n'), /missing,hooks, tickets\.module: there is no file .*gone\.mjs that can be read/);
});

test('outbound port 25 is of no account where mail leaves by a relay', async () => {
  const { findings } = await check({ relay: ses, args: ['--connect', '127.0.0.1:1'] });
  const port = findings.find(({ what }) => what.includes('port 1 cannot be reached'));
  assert.equal(port?.level, 'advice');
  assert.match(port?.what ?? '', /mail leaves by email-smtp\.eu-west-1\.amazonaws\.com, so it need not be$/);
});

for (const { title, mode = 'serve', exchanges, says } of [
  {
    title: 'loopback alone',
    exchanges: [['127.0.0.1', 25]],
    says: /^mail comes in at 127\.0\.0\.1:25, which only this/,
  },
  {
    title: 'another port',
    exchanges: [['::', 2525]],
    says: /^mail comes in at \[::\]:2525; other servers call port 25/,
  },
  { title: 'port 25', exchanges: [['0.0.0.0', 25]], says: null },
  { title: 'capture mode', mode: 'capture', exchanges: [['127.0.0.1', 2525]], says: null },
] as const) {
  test(`other servers call port 25: where mail comes in otherwise, it is said (${title})`, () => {
    const listeners = exchanges.map(([host, port]) => ({ role: 'mx' as const, host, port }));
    const whats = checkListeners({ mode, listeners }).map(({ what }) => what);
    if (says === null) assert.deepEqual(whats, []);
    else assert.match(whats.join('\n'), says);
  });
}
