import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { parseProxyHeader } from '#mail/smtp/proxy-protocol.ts';
import { proxyHeader, proxySignature } from '#test/support/samples/proxy-header.ts';
import { until } from '#test/support/time/until.ts';
import { rawClient, startTestListener, testConfig } from '#test/support/worlds/start-test-listener.ts';

const addresses4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0, 25]);
const addresses6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.alloc(16),
  Buffer.from([0x30, 0x39, 0, 25]),
]);
const tlv = Buffer.from([0xea, 0, 3, 1, 2, 3]);
const proxied = proxyHeader(0x21, 0x11, addresses4);

const cases: readonly { readonly title: string; readonly bytes: Buffer; readonly wanted: object }[] = [
  {
    title: 'TCP over IPv4',
    bytes: proxied,
    wanted: { outcome: 'header', bytes: 28, peer: { ip: '192.0.2.1', port: 12_345 } },
  },
  {
    title: 'TCP over IPv6',
    bytes: proxyHeader(0x21, 0x21, addresses6),
    wanted: { outcome: 'header', bytes: 52, peer: { ip: '2001:db8:0:0:0:0:0:1', port: 12_345 } },
  },
  {
    title: 'TLVs behind the addresses',
    bytes: proxyHeader(0x21, 0x11, Buffer.concat([addresses4, tlv])),
    wanted: { outcome: 'header', bytes: 34, peer: { ip: '192.0.2.1', port: 12_345 } },
  },
  {
    title: 'LOCAL',
    bytes: proxyHeader(0x20, 0, Buffer.alloc(0)),
    wanted: { outcome: 'header', bytes: 16, peer: null },
  },
  {
    title: 'LOCAL with something in it',
    bytes: proxyHeader(0x20, 0x11, addresses4),
    wanted: { outcome: 'header', bytes: 28, peer: null },
  },
  {
    title: 'an unspecified family',
    bytes: proxyHeader(0x21, 0, tlv),
    wanted: { outcome: 'header', bytes: 22, peer: null },
  },
  {
    title: 'addresses cut short',
    bytes: proxyHeader(0x21, 0x11, addresses4.subarray(0, 8)),
    wanted: { outcome: 'invalid' },
  },
  { title: 'another version', bytes: proxyHeader(0x11, 0x11, addresses4), wanted: { outcome: 'invalid' } },
  { title: 'an unknown command', bytes: proxyHeader(0x22, 0x11, addresses4), wanted: { outcome: 'invalid' } },
  { title: 'datagrams', bytes: proxyHeader(0x21, 0x12, addresses4), wanted: { outcome: 'invalid' } },
  { title: 'an enormous body', bytes: proxyHeader(0x21, 0x11, Buffer.alloc(5_000)), wanted: { outcome: 'invalid' } },
  {
    title: 'version 1',
    bytes: Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n'),
    wanted: { outcome: 'invalid' },
  },
  { title: 'mail', bytes: Buffer.from('EHLO x\r\n'), wanted: { outcome: 'invalid' } },
  { title: 'nothing', bytes: Buffer.alloc(0), wanted: { outcome: 'more' } },
];

for (const { title, bytes, wanted } of cases) {
  test(`a PROXY header of ${title} is ${JSON.stringify(wanted)}`, () => {
    assert.deepEqual(parseProxyHeader(bytes), wanted);
  });
}

test('every beginning of a PROXY header waits for more, and no bytes make the parser throw', () => {
  for (let cut = 0; cut < proxied.length; cut++)
    assert.deepEqual(parseProxyHeader(proxied.subarray(0, cut)), { outcome: 'more' });
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      (bytes) => void parseProxyHeader(Buffer.concat([proxySignature, bytes])),
    ),
  );
});

test('behind a load balancer the client is who the header says, split as it may be', async (t) => {
  const { port, intake } = await startTestListener(t, testConfig, { isBehindProxy: true, greetingDelayMs: 0 });
  const client = rawClient(port('mx'));
  t.after(client.close);
  client.socket().setNoDelay(true);
  for (const byte of proxied) {
    client.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.match((await client.reply()) ?? '', /^220/);
  await client.say('EHLO client.test');
  client.write('MAIL FROM:<a@sender.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\nhi\r\n.\r\n');
  for (let replies = 0; replies < 4; replies++) await client.reply();
  assert.equal(intake.messages[0]?.job.envelope.session.clientIp, '192.0.2.1');
});

test('behind a load balancer 465 begins its handshake after the header', async (t) => {
  const { port } = await startTestListener(t, testConfig, { isBehindProxy: true, greetingDelayMs: 0 });
  const plain = rawClient(port('submissions'));
  plain.write(proxied);
  const secure = connectTls({ socket: plain.socket(), rejectUnauthorized: false });
  t.after(() => void secure.destroy());
  const greeting = await new Promise((resolve) => {
    secure.once('data', (data) => resolve(data.toString().slice(0, 3)));
  });
  assert.equal(greeting, '220');
});

test('without a header nobody is let in, and a health check (LOCAL) gets a session', async (t) => {
  const { port, listener } = await startTestListener(t, testConfig, { isBehindProxy: true, greetingDelayMs: 0 });
  const stranger = rawClient(port('mx'));
  stranger.write('EHLO client.test\r\n');
  assert.equal(await stranger.reply(), null);
  const check = rawClient(port('mx'));
  check.write(proxyHeader(0x20, 0, Buffer.alloc(0)));
  assert.match((await check.reply()) ?? '', /^220/);
  check.close();
  await until(() => listener.health().connections === 0, 'nobody left');
});

test('where no load balancer is said to be in front, its header is an early talker or an unknown command', async (t) => {
  const { port } = await startTestListener(t);
  const client = rawClient(port('mx'));
  t.after(client.close);
  client.write(proxied);
  assert.match((await client.reply()) ?? '', /^220/);
  assert.match((await client.reply()) ?? '', /^500/);
});
