// An address as octets: every way of writing it, compared with what Node's own parser makes of it.
import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import { test } from 'node:test';
import { ipOctets } from '#mail/address/ip-octets.ts';
import { peerOf } from '#mail/address/peer-address.ts';

const hexOf = (ip: string): string | undefined => ipOctets(ip)?.toString('hex');

test('an address in any of its texts is the same octets', () => {
  assert.equal(hexOf('192.0.2.1'), 'c0000201');
  for (const text of ['2001:db8::1', '2001:0DB8:0:0:0:0:0:1', '2001:db8::0.0.0.1', '2001:db8:0:0:0::1'])
    assert.equal(hexOf(text), `20010db8${'0'.repeat(23)}1`, text);
  assert.equal(hexOf('::'), '0'.repeat(32));
  assert.equal(hexOf('1::'), `0001${'0'.repeat(28)}`);
  assert.equal(hexOf('::ffff:192.0.2.1'), `${'0'.repeat(20)}ffffc0000201`);
  assert.equal(hexOf('1:2:3:4:5:6:7:8'), '00010002000300040005000600070008');
});

test('an address of any octets is read back from the text that Node writes', () => {
  for (let n = 0; n < 2 ** 8; n++) {
    const octets = Buffer.from(Array.from({ length: 16 }, (_, at) => ((n >> (at >> 1)) & 1 ? at * 17 : 0)));
    const address = (octets.toString('hex').match(/.{4}/g) ?? []).join(':');
    const written = new SocketAddress({ address, family: 'ipv6' }).address;
    assert.equal(hexOf(written), octets.toString('hex'), written);
  }
});

test('what is no address, or has a zone, has no octets', () => {
  for (const text of ['', 'a.example', '1.2.3', '1.2.3.256', '1:2', ':::', '::1%eth0', 'g::'])
    assert.equal(ipOctets(text), null, text);
});

test('limits go by the /64 of an IPv6 peer, however its address is written', () => {
  for (const text of ['2001:db8:0:7::1', '2001:0db8::7:ffff:0:0:1', '2001:DB8:0:7:1:2:3:4%eth0'])
    assert.equal(peerOf(text).group, '2001:db8:0:7::/64', text);
  assert.equal(peerOf('::ffff:192.0.2.9').group, '192.0.2.9');
  assert.equal(peerOf('::1').group, '0:0:0:0::/64');
});
