// A policy file is a stranger's text of 64 KiB.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findStsPolicy } from '#functions/deliver/hosts/mta-sts.ts';
import { parseStsPolicy } from '#mail/mta-sts/sts-policy.ts';
import { createMemoryStore } from '#test/support/fakes/memory-store.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';

test('a policy with spaces around its values is read (RFC 8461 §3.2)', () => {
  const text = 'version: STSv1 \r\nmode:\tenforce\t\r\nmx : mx.a.example. \r\nmax_age:86400\r\n';
  assert.deepEqual(parseStsPolicy(text), { policy: { mode: 'enforce', mx: ['mx.a.example'] }, maxAgeSeconds: 86_400 });
});

test('a policy made of spaces takes no time', () => {
  const before = process.cpuUsage();
  assert.equal(parseStsPolicy(`mx: x${' '.repeat(65_000)}x`), null);
  assert.ok(process.cpuUsage(before).user < 500_000);
});

for (const { title, zone, allowPrivateTargets, fetches } of [
  {
    title: 'in a private network',
    zone: { A: ['192.0.2.9', '169.254.169.254'] },
    allowPrivateTargets: false,
    fetches: 0,
  },
  {
    title: 'in a private network by IPv6',
    zone: { AAAA: ['::ffff:127.0.0.1'] },
    allowPrivateTargets: false,
    fetches: 0,
  },
  {
    title: 'in a private network, if that is allowed',
    zone: { A: ['127.0.0.1'] },
    allowPrivateTargets: true,
    fetches: 1,
  },
  { title: 'outside', zone: { A: ['192.0.2.9'] }, allowPrivateTargets: false, fetches: 1 },
]) {
  test(`a policy on a host ${title} is ${fetches === 0 ? 'not asked for' : 'fetched'}`, async () => {
    let fetched = 0;
    const { policy, note } = await findStsPolicy(
      {
        resolve: zoneResolver({ '_mta-sts.a.example': { TXT: ['v=STSv1; id=1'] }, 'mta-sts.a.example': zone }),
        clock: () => 0,
        memory: new Map(),
        allowPrivateTargets,
        port: 443,
        store: createMemoryStore(),
        fetchPolicy: async () => {
          fetched += 1;
          return { outcome: 'file', text: 'version: STSv1\nmode: enforce\nmx: mx.a.example\nmax_age: 60\n' };
        },
      },
      'a.example',
    );
    assert.equal(fetched, fetches);
    assert.equal(policy.mode, fetches === 0 ? 'none' : 'enforce');
    if (fetches === 0) assert.match(note ?? '', /could not be had: mta-sts\.a\.example is in a private network/);
  });
}
