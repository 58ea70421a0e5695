import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterFailure, spreadMs } from '#functions/deliver/destination/back-off.ts';
import { signOf } from '#functions/deliver/destination/port25.ts';
import type { FetchPolicy } from '#functions/deliver/hosts/fetch-policy.ts';
import { lookUpMx } from '#functions/deliver/hosts/look-up-mx.ts';
import { findStsPolicy } from '#functions/deliver/hosts/mta-sts.ts';
import { isHardBounce } from '#functions/deliver/outcome/suppress.ts';
import { isPrivate } from '#mail/address/private-address.ts';
import { isNamedHost, parseStsPolicy } from '#mail/mta-sts/sts-policy.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';

const policy = { hostname: 'mx.pillarbox.example', allowPrivateTargets: false };

async function targets(zone: Zone, domain = 'far.example', random = () => 0.5): Promise<unknown> {
  const routes = await lookUpMx({ resolve: zoneResolver(zone), random }, domain, policy);
  return routes.outcome === 'targets'
    ? routes.targets.map(({ host, ip }) => `${host} ${ip}`)
    : `${routes.outcome}: ${routes.reason}`;
}

const mx = (...hosts: readonly [number, string][]) => hosts.map(([priority, exchange]) => ({ priority, exchange }));
const hosts: Zone = {
  'a.example': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'] },
  'b.example': { A: ['192.0.2.2', '192.0.2.3'] },
  'c.example': { AAAA: ['2001:db8::3'] },
  'inside.example': { A: ['10.1.2.3'] },
  'alias.example': { CNAME: ['b.example'] },
};

const rows: readonly { title: string; zone: Zone; domain?: string; expected: unknown }[] = [
  {
    title: 'MX by preference, IPv4 before IPv6',
    zone: { ...hosts, 'far.example': { MX: mx([20, 'a.example'], [10, 'c.example']) } },
    expected: ['c.example 2001:db8::3', 'a.example 192.0.2.1', 'a.example 2001:db8::1'],
  },
  {
    title: 'no MX: the domain itself (RFC 5321 §5.1)',
    zone: { 'far.example': { A: ['192.0.2.9'] } },
    expected: ['far.example 192.0.2.9'],
  },
  {
    title: 'an MX beside an address: the address is no host',
    zone: { ...hosts, 'far.example': { A: ['192.0.2.9'], MX: mx([1, 'c.example']) } },
    expected: ['c.example 2001:db8::3'],
  },
  {
    title: 'a host that does not exist is passed over',
    zone: { ...hosts, 'far.example': { MX: mx([1, 'gone.example'], [2, 'c.example']) } },
    expected: ['c.example 2001:db8::3'],
  },
  {
    title: 'hosts in a private network are passed over',
    zone: { ...hosts, 'far.example': { MX: mx([1, 'inside.example'], [2, 'c.example']) } },
    expected: ['c.example 2001:db8::3'],
  },
  {
    title: 'a host that is an alias is followed',
    zone: { ...hosts, 'far.example': { MX: mx([1, 'alias.example']) } },
    expected: ['alias.example 192.0.2.2', 'alias.example 192.0.2.3'],
  },
  {
    title: 'a domain that is an alias is followed',
    zone: { ...hosts, 'far.example': { CNAME: ['other.example'] }, 'other.example': { MX: mx([1, 'c.example']) } },
    expected: ['c.example 2001:db8::3'],
  },
  {
    title: 'aliases that go round lead nowhere',
    zone: { 'far.example': { CNAME: ['far.example'] } },
    expected: 'permanent: the domain far.example has no mail host',
  },
  {
    title: 'a trailing dot and capitals in an MX',
    zone: { ...hosts, 'far.example': { MX: mx([1, 'C.Example.']) } },
    expected: ['c.example 2001:db8::3'],
  },
  {
    title: 'hosts no better than ourselves are left out',
    zone: {
      ...hosts,
      'far.example': { MX: mx([5, 'c.example'], [10, 'mx.pillarbox.example'], [10, 'b.example'], [20, 'a.example']) },
    },
    expected: ['c.example 2001:db8::3'],
  },
  { title: 'an IPv4 address literal', zone: {}, domain: '[192.0.2.7]', expected: ['192.0.2.7 192.0.2.7'] },
  { title: 'an IPv6 address literal', zone: {}, domain: '[IPv6:2001:db8::7]', expected: ['2001:db8::7 2001:db8::7'] },
  {
    title: 'a loopback literal',
    zone: {},
    domain: '[127.0.0.1]',
    expected: 'permanent: the mail hosts are in a private network, and sending there is not allowed: 127.0.0.1',
  },
  {
    title: 'one host whose DNS fails and one that answers',
    zone: { ...hosts, 'far.example': { MX: mx([1, 'sick.example'], [2, 'c.example']) }, 'sick.example': 'TIMEOUT' },
    expected: ['c.example 2001:db8::3'],
  },
];
for (const { title, zone, domain, expected } of rows) {
  test(`routes: ${title}`, async () => assert.deepEqual(await targets(zone, domain), expected));
}

test('hosts of equal preference come in random order', async () => {
  const zone = { ...hosts, 'far.example': { MX: mx([1, 'c.example'], [1, 'a.example']) } };
  const order = async (first: number, second: number) => {
    const numbers = [first, second];
    return targets(zone, 'far.example', () => numbers.shift() ?? 0);
  };
  assert.notDeepEqual(await order(0.1, 0.9), await order(0.9, 0.1));
});

for (const [ip, expected] of Object.entries({
  '127.0.0.1': true,
  '10.0.0.1': true,
  '172.16.0.1': true,
  '172.32.0.1': false,
  '192.168.1.1': true,
  '169.254.169.254': true,
  '100.64.0.1': true,
  '0.0.0.0': true,
  '224.0.0.1': true,
  '255.255.255.255': true,
  '8.8.8.8': false,
  '::1': true,
  '::': true,
  'fe80::1': true,
  'fd00::1': true,
  '::ffff:127.0.0.1': true,
  '::ffff:7f00:1': true,
  '2002:7f00:1::': true,
  '2a00:1450::1': false,
})) {
  test(`${ip} is ${expected ? '' : 'not '}a private address`, () => assert.equal(isPrivate(ip), expected));
}

for (const { text, expected } of [
  {
    text: 'version: STSv1\nmode: enforce\nmx: mail.example\nmx: *.example\nmax_age: 86400',
    expected: { policy: { mode: 'enforce', mx: ['mail.example', '*.example'] }, maxAgeSeconds: 86_400 },
  },
  {
    text: 'version: STSv1\r\nmode: testing\r\nmx: Mail.Example\r\nmax_age: 99999999999\r\n',
    expected: { policy: { mode: 'testing', mx: ['mail.example'] }, maxAgeSeconds: 31_557_600 },
  },
  { text: 'version: STSv1\nmode: none\nmax_age: 1', expected: { policy: { mode: 'none' }, maxAgeSeconds: 1 } },
  { text: 'version: STSv1\nmode: enforce\nmax_age: 86400', expected: null },
  { text: 'version: STSv2\nmode: enforce\nmx: a\nmax_age: 86400', expected: null },
  { text: 'version: STSv1\nmode: strict\nmx: a\nmax_age: 86400', expected: null },
  { text: 'version: STSv1\nmode: enforce\nmx: a\nmax_age: soon', expected: null },
  { text: '<html>', expected: null },
]) {
  test(`an MTA-STS policy is read: ${JSON.stringify(text).slice(0, 60)}`, () =>
    assert.deepEqual(parseStsPolicy(text), expected));
}

for (const [host, expected] of Object.entries({
  'mail.example': true,
  'a.pool.example': true,
  'pool.example': false,
  'a.b.pool.example': false,
  'evil.example': false,
})) {
  test(`${host} is ${expected ? '' : 'not '}named by mail.example and *.pool.example (RFC 8461 §4.1)`, () =>
    assert.equal(isNamedHost(['mail.example', '*.pool.example'], host), expected));
}

for (const [failure, words] of [
  ['SERVFAIL', 'its server failed, or none could be reached (SERVFAIL)'],
  ['REFUSED', 'its server refuses to (REFUSED)'],
  ['TIMEOUT', 'nothing came in time'],
] as const) {
  test(`a DNS that answers ${failure} is told in words`, async () =>
    assert.equal(
      await targets({ 'far.example': failure }),
      `later: the DNS does not answer for far.example: ${words}`,
    ));
}

test('a policy is kept while it lasts although its record or its server is gone, and fetched anew for a new id', async () => {
  const clock = setClock();
  const asked: string[] = [];
  let body: string | null = 'version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n';
  let zone: Zone = { '_mta-sts.far.example': { TXT: ['v=STSv1; id=1'] } };
  let memory = new Map();
  const store = createMemoryStore();
  const resolve: Resolve = (name, type) =>
    zoneResolver({ ...zone, 'mta-sts.far.example': { A: ['192.0.2.9'] } })(name, type);
  const fetchPolicy: FetchPolicy = async ({ host }) => {
    asked.push(host);
    return body === null ? { outcome: 'failed', reason: 'gone' } : { outcome: 'file', text: body };
  };
  const find = async () => {
    const deps = { resolve, clock, store, port: 443, allowPrivateTargets: false, memory, fetchPolicy };
    return (await findStsPolicy(deps, 'far.example')).policy;
  };
  assert.equal((await find()).mode, 'enforce');
  await find();
  assert.equal(asked.length, 1);
  clock.advance(600_000);
  zone = {};
  assert.equal((await find()).mode, 'enforce', 'the record is gone');
  clock.advance(600_000);
  zone = { '_mta-sts.far.example': { TXT: ['v=STSv1; id=2;'] } };
  body = null;
  assert.equal((await find()).mode, 'enforce', 'the server is gone');
  memory = new Map();
  assert.equal((await find()).mode, 'enforce', 'the process that fetched it is gone too');
  clock.advance(600_000);
  body = 'version: STSv1\nmode: none\nmax_age: 86400\n';
  assert.equal((await find()).mode, 'none');
  clock.advance(90_000_000);
  zone = { '_mta-sts.far.example': { TXT: ['v=STSv1; id=2;', 'v=STSv1; id=3;'] } };
  assert.equal((await find()).mode, 'none', 'two records are none');
});

for (const { title, retrySeconds, wanted } of [
  {
    title: 'for longer with each failure',
    retrySeconds: [300, 600, 1_200, 2_400, 3_600, 7_200, 14_400],
    wanted: [60, 120, 240, 480, 960, 1_800, 1_800, 1_800],
  },
  {
    title: 'never for longer than a deferred message waits',
    retrySeconds: [10, 100],
    wanted: [10, 20, 40, 80, 100, 100, 100, 100],
  },
]) {
  test(`a destination is backed off ${title}, and attempts side by side are one failure`, () => {
    const at = Date.parse('2026-11-21T12:00:00.000Z');
    const fail = (before: ReturnType<typeof afterFailure> | null, startedAt: number, now: number) =>
      afterFailure(before, { destination: 'far.example', startedAt, now, reason: '421', random: 0.5, retrySeconds });
    let record = fail(null, at, at + 1_000);
    assert.equal(fail(record, at, at + 2_000), record);
    const waits: number[] = [];
    for (let n = 0; n < 8; n++) {
      waits.push((Date.parse(record.until) - Date.parse(record.at)) / 1_000);
      const next = Date.parse(record.until);
      record = fail(record, next, next);
    }
    assert.deepEqual(waits, wanted);
    assert.ok(spreadMs(record) <= 300_000);
  });
}

for (const { title, hosts, sight } of [
  {
    title: 'all timed out',
    hosts: [['connect', 'no connection to 192.0.2.1 port 25 within 30 s']],
    sight: 'timed-out',
  },
  {
    title: 'one timed out, and there is no IPv6 here',
    hosts: [
      ['connect', 'no connection to 192.0.2.1 port 25 within 30 s'],
      ['connect', 'cannot connect to 2001:db8::1 port 25: connect ENETUNREACH'],
    ],
    sight: 'timed-out',
  },
  {
    title: 'one refused',
    hosts: [
      ['connect', 'no connection to 192.0.2.1 port 25 within 30 s'],
      ['connect', 'cannot connect: connect ECONNREFUSED'],
    ],
    sight: 'neither',
  },
  {
    title: 'one greeted',
    hosts: [
      ['connect', 'no connection to 192.0.2.1 port 25 within 30 s'],
      ['greeting', '421'],
    ],
    sight: 'connected',
  },
  { title: 'one talked', hosts: [[null, null]], sight: 'connected' },
  { title: 'there was none', hosts: [], sight: 'neither' },
]) {
  test(`of the hosts ${title}: for port 25 that means ${sight}`, () =>
    assert.equal(signOf(hosts.map(([stage, reason]) => ({ stage: stage ?? null, reason: reason ?? null }))), sight));
}

const result = (stage: 'rcpt' | 'message', code: number, enhanced: string | null, text: string) => ({
  forwardPath: 'b@far.example',
  outcome: 'refused' as const,
  stage,
  reply: { code, enhanced, text },
  reason: null,
});
for (const { given, hard } of [
  { given: result('rcpt', 550, '5.1.1', 'no such user'), hard: true },
  { given: result('rcpt', 550, null, 'No such user here'), hard: true },
  {
    given: result(
      'rcpt',
      550,
      null,
      '<b@far.example>: Recipient address rejected: User unknown in virtual mailbox table',
    ),
    hard: true,
  },
  { given: result('rcpt', 550, '5.1.6', 'moved, no forwarding'), hard: true },
  { given: result('rcpt', 550, '5.1.10', 'RESOLVER.ADR.RecipientNotFound'), hard: true },
  { given: result('rcpt', 550, '5.2.1', 'mailbox disabled'), hard: false },
  { given: result('rcpt', 550, '5.4.1', 'recipient address rejected: access denied'), hard: false },
  { given: result('rcpt', 550, '5.1.8', 'bad sender, user unknown'), hard: false },
  { given: result('rcpt', 550, '5.1.2', 'bad domain'), hard: false },
  { given: result('rcpt', 550, null, 'mailbox unavailable'), hard: false },
  { given: result('rcpt', 550, '5.7.1', 'relaying denied, user unknown'), hard: false },
  { given: result('rcpt', 552, '5.2.2', 'mailbox full'), hard: false },
  { given: result('rcpt', 554, null, 'blocked, see our list'), hard: false },
  { given: result('message', 550, '5.1.1', 'after the message'), hard: false },
]) {
  test(`${given.stage} ${given.reply.code} ${given.reply.enhanced ?? ''} ${given.reply.text}: ${hard ? 'the address does not exist' : 'says nothing of the address'}`, () =>
    assert.equal(isHardBounce(given), hard));
}

test('addresses that mean an IPv4 host within are within too, however they are written', () => {
  for (const ip of ['::127.0.0.1', '::7f00:1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:0:127.0.0.1', '0.0.0.0']) {
    assert.equal(isPrivate(ip), true, ip);
  }
  for (const ip of ['2001:4860::8888', '1.1.1.1', '::ffff:1.1.1.1']) assert.equal(isPrivate(ip), false, ip);
});
