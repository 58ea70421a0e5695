// MailHosts out of a real DNS (dnsmasq), asked by our own resolver: what c-ares makes of null MX, aliases, and names that are not.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { lookUpMx } from '#functions/deliver/hosts/look-up-mx.ts';
import { createResolver } from '#pipeline/dns/resolver.ts';
import { freePort } from '#test/support/peers/free-port.ts';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const zone = [
  '--mx-host=two.test,b.test,20',
  '--mx-host=two.test,a.test,10',
  '--mx-host=null.test,.,0',
  '--host-record=a.test,192.0.2.1,2001:db8::1',
  '--host-record=b.test,192.0.2.2',
  '--host-record=implicit.test,192.0.2.3',
  '--cname=alias.test,implicit.test',
  '--txt-record=empty.test,nothing',
];

test('routes from a real DNS server', peerOptions('dnsmasq'), async (t) => {
  const port = await freePort();
  const arguments_ = [
    '--no-daemon',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    '--local=/#/',
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    `--port=${port}`,
    ...zone,
  ];
  const server = spawn(findPeer('dnsmasq')!, arguments_, { stdio: 'ignore' });
  const { resolve, clear, close } = createResolver({
    servers: [`127.0.0.1:${port}`],
    timeoutMs: 3_000,
    clock: Date.now,
  });
  t.after(() => {
    close();
    server.kill();
  });
  const routes = async (domain: string) => {
    const found = await lookUpMx({ resolve, random: Math.random }, domain, {
      hostname: 'mx.pillarbox.example',
      allowPrivateTargets: false,
    });
    return found.outcome === 'targets'
      ? found.targets.map(({ ip }) => ip)
      : found.outcome === 'permanent'
        ? found.status
        : found.outcome;
  };
  await eventually('dnsmasq answers', async () => {
    clear();
    const found = await routes('two.test');
    return typeof found !== 'string' && found.length === 3;
  });
  assert.deepEqual(await routes('two.test'), ['192.0.2.1', '2001:db8::1', '192.0.2.2']);
  assert.deepEqual(await routes('implicit.test'), ['192.0.2.3']);
  assert.deepEqual(await routes('alias.test'), ['192.0.2.3']);
  assert.equal(await routes('null.test'), '5.1.10');
  assert.equal(await routes('empty.test'), '5.1.2');
  assert.equal(await routes('gone.test'), '5.1.2');
  server.kill();
  await new Promise((resolve) => server.once('exit', resolve));
  assert.equal(await routes('other.test'), 'later');
});
