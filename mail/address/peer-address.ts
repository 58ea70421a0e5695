// Who is at the other end: decided here and nowhere else, so that a proxy in front has one place to be believed in.
import { isIPv6 } from 'node:net';
import { isLoopbackAddress } from './loopback.ts';

/** A peer. `group` is what limits go by: the address, or the /64 of an IPv6 address, which one host has all of. */
export type Peer = { readonly ip: string; readonly group: string; readonly isLoopback: boolean };

/** The peer of a socket (`remoteAddress` as the system gives it); an IPv4-mapped IPv6 address is the IPv4 one. */
export function peerOf(remoteAddress: string): Peer {
  const ip = remoteAddress
    .replace(/^::ffff:(?=[0-9.]+$)/i, '')
    .replace(/%.*$/, '')
    .toLowerCase();
  return { ip, group: isIPv6(ip) ? networkOf(ip) : ip, isLoopback: isLoopbackAddress(ip) };
}

/** The first 64 bits, as four groups without leading zeros. */
function networkOf(ip: string): string {
  const [head = '', tail] = ip.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array.from({ length: zeros }, () => '0'), ...back];
  const network = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::/64`;
}
