// MTA-STS (RFC 8461) from the record to the mail: policies over HTTPS from a host of the test's own, mail hosts that keep
// to them and some that do not, and a policy that stays in force when its host is gone.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { generate } from 'selfsigned';
import { freePort } from '#test/support/peers/free-port.ts';
import { hasPeer, peerOptions } from '#test/support/peers/peers.ts';
import { type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

/** Domain → its policy, and its mail hosts in order: what each does with TLS, at which address. */
const domains: Readonly<Record<string, { policy: string; hosts: Readonly<Record<string, [string, string]>> }>> = {
  'good.test': { policy: 'mode: enforce\nmx: mx.good.test', hosts: { 'mx.good.test': ['proven', '127.0.9.1'] } },
  'wild.test': { policy: 'mode: enforce\nmx: *.wild.test', hosts: { 'mx1.wild.test': ['proven', '127.0.9.2'] } },
  'forged.test': { policy: 'mode: enforce\nmx: *.forged.test', hosts: { 'mx.forged.test': ['unproven', '127.0.9.3'] } },
  'clear.test': { policy: 'mode: enforce\nmx: *.clear.test', hosts: { 'mx.clear.test': ['clear', '127.0.9.4'] } },
  'stranger.test': {
    policy: 'mode: enforce\nmx: mx2.stranger.test',
    hosts: { 'mx1.stranger.test': ['proven', '127.0.9.5'], 'mx2.stranger.test': ['proven', '127.0.9.6'] },
  },
  'nobody.test': { policy: 'mode: enforce\nmx: other.test', hosts: { 'mx.nobody.test': ['proven', '127.0.9.7'] } },
  'tried.test': { policy: 'mode: testing\nmx: *.tried.test', hosts: { 'mx.tried.test': ['unproven', '127.0.9.8'] } },
  'open.test': { policy: 'mode: testing\nmx: *.open.test', hosts: { 'mx.open.test': ['clear', '127.0.9.9'] } },
  'kept.test': { policy: 'mode: testing\nmx: *.kept.test', hosts: { 'mx.kept.test': ['proven', '127.0.9.10'] } },
  'none.test': { policy: 'mode: none', hosts: { 'mx.none.test': ['unproven', '127.0.9.11'] } },
  'broken.test': { policy: '<html>', hosts: { 'mx.broken.test': ['unproven', '127.0.9.12'] } },
};
const policyHosts = Object.keys(domains).map((domain) => `mta-sts.${domain}`);
const mailHosts = Object.values(domains).flatMap(({ hosts }) => Object.entries(hosts));

let service: SendingService;
let policyServer: Server;
let folder: string;
const fetched: string[] = [];

before(async () => {
  if (!hasPeer('dnsmasq')) return;
  folder = mkdtempSync(join(tmpdir(), 'pillarbox-sts-'));
  const known = await certificateFor([...policyHosts, ...mailHosts.map(([host]) => host)]);
  const unknown = await certificateFor(mailHosts.map(([host]) => host));
  writeFileSync(join(folder, 'known.pem'), known.cert);
  policyServer = createServer(known, (request, response) => {
    const name = String(request.headers.host).replace(/:\d+$/, '');
    fetched.push(`${name}${request.url}`);
    response.end(`version: STSv1\n${domains[name.slice('mta-sts.'.length)]?.policy}\nmax_age: 604800\n`);
  });
  const mtaStsPort = await freePort();
  await new Promise<void>((resolve) => policyServer.listen(mtaStsPort, '127.0.0.1', resolve));
  service = await startSending({
    zone: {
      mx: Object.fromEntries(
        Object.entries(domains).map(([domain, { hosts }]) => [
          domain,
          Object.keys(hosts).map((host, n) => `${n} ${host}`),
        ]),
      ),
      a: Object.fromEntries([
        ...policyHosts.map((host) => [host, '127.0.0.1']),
        ...mailHosts.map(([host, [, ip]]) => [host, ip]),
      ]),
      txt: Object.fromEntries(Object.keys(domains).map((domain) => [`_mta-sts.${domain}`, 'v=STSv1; id=20261121;'])),
    },
    config: { delivery: { mtaStsPort, retrySeconds: [600] } },
    environment: { NODE_EXTRA_CA_CERTS: join(folder, 'known.pem') },
  });
  const offers = { proven: { certificate: known }, unproven: { certificate: unknown }, clear: {} };
  for (const [, [kind, ip]] of mailHosts) await service.host(ip, offers[kind as keyof typeof offers]);
});
after(async () => {
  policyServer?.closeAllConnections();
  policyServer?.close();
  await service?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

describe('MTA-STS', { ...peerOptions('dnsmasq') }, () => {
  for (const domain of ['good.test', 'wild.test']) {
    it(`a host that keeps to the policy gets the mail, over TLS with a proven certificate: ${domain}`, async () => {
      const record = await deliver(domain, 'delivered');
      const [tried] = record.attempts[0].hosts;
      assert.equal(tried.tls.problem, null);
      assert.equal(tried.reason, null);
      assert.ok(fetched.includes(`mta-sts.${domain}/.well-known/mta-sts.txt`));
    });
  }

  for (const [domain, reason] of [
    ['forged.test', /certificate is not to be trusted: .*; the domain's MTA-STS policy demands it$/],
    ['clear.test', /does not offer STARTTLS.*; the domain's MTA-STS policy demands it$/],
    ['nobody.test', /^no mail host of nobody\.test is named in its MTA-STS policy$/],
  ] as const) {
    it(`mail waits where no host keeps to the policy, and the record says why: ${domain}`, async () => {
      const record = await deliver(domain, 'waiting');
      assert.match(record.recipients[0].reason, reason);
    });
  }

  it('a host that the policy does not name is passed over, which the record says', async () => {
    const record = await deliver('stranger.test', 'delivered');
    assert.deepEqual(hostsOf(record), ['mx2.stranger.test']);
    assert.match(record.attempts[0].reason, /does not name it: mx1\.stranger\.test$/);
  });

  for (const [domain, objection] of [
    ['tried.test', /only in testing: the host's certificate is not to be trusted: /],
    ['open.test', /only in testing: the mail went in clear$/],
  ] as const) {
    it(`a policy in testing keeps nothing back, but the record says what it would have objected to: ${domain}`, async () => {
      const record = await deliver(domain, 'delivered');
      assert.match(record.attempts[0].hosts[0].reason, objection);
    });
  }

  it('mode none is as no policy', async () => {
    const record = await deliver('none.test', 'delivered');
    assert.equal(record.attempts[0].hosts[0].reason, null);
  });

  it('a policy that cannot be read is none, which the record says', async () => {
    const record = await deliver('broken.test', 'delivered');
    assert.match(record.attempts[0].reason, /broken\.test announces could not be had: the file is no policy$/);
  });

  it('a policy is fetched once, and stays in force over a kill -9 and without its host', async () => {
    const before = fetched.length;
    await deliver('good.test', 'delivered');
    assert.equal(fetched.length, before);
    policyServer.closeAllConnections();
    policyServer.close();
    service = await service.restart();
    assert.match((await deliver('forged.test', 'waiting')).recipients[0].reason, /certificate is not to be trusted/);
    assert.equal((await deliver('good.test', 'delivered')).attempts[0].hosts[0].tls.problem, null);
    const kept = await deliver('kept.test', 'delivered');
    assert.match(kept.attempts[0].reason, /kept\.test announces could not be had: connect ECONNREFUSED/);
  });
});

async function deliver(domain: string, state: string) {
  return service.whenDelivery(await service.submit({ to: [`x@${domain}`] }), state);
}

function hostsOf(record: { attempts: { hosts: { host: string }[] }[] }): readonly string[] {
  return record.attempts.flatMap(({ hosts }) => hosts.map(({ host }) => host));
}

async function certificateFor(names: readonly string[]): Promise<{ cert: string; key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: names[0] ?? '' }], {
    extensions: [{ name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) }],
  });
  return { cert, key };
}
