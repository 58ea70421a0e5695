// Which IP addresses are in no public network: a name that somebody else controls must not lead us to them.
import { BlockList, isIPv4 } from 'node:net';

const ipv4Networks =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16 198.18.0.0/15 ' +
  '224.0.0.0/4 240.0.0.0/4';
/** Many of these stand for IPv4 hosts, private or not: compatible, translated (RFC 6052, 7915), 6to4, Teredo. */
const ipv6Networks =
  '::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 fc00::/7 fe80::/10 fec0::/10 ff00::/8 2002::/16 2001::/32';

const privateNetworks = new BlockList();
for (const network of `${ipv4Networks} ${ipv6Networks}`.split(' ')) {
  const [address = '', bits] = network.split('/');
  privateNetworks.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6');
}

/** Loopback, private, link-local, carrier-grade, multicast, reserved: RFC 6890 and what came after. */
export function isPrivate(ip: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1];
  const plain = mapped ?? ip;
  return privateNetworks.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
}
