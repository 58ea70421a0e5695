// Who is at the other end: decided here and nowhere else, so that a proxy in front has one place to be believed in.
import { ipOctets } from './ip-octets.ts';
import { isLoopbackAddress } from './loopback.ts';

/** A peer. `group` is what limits go by: the address, or the /64 of an IPv6 address, which one host has all of. */
export type Peer = { readonly ip: string; readonly group: string; readonly isLoopback: boolean };

/** The peer of a socket (`remoteAddress` as the system gives it); an IPv4-mapped IPv6 address is the IPv4 one. */
export function peerOf(remoteAddress: string): Peer {
  const ip = remoteAddress
    .replace(/^::ffff:(?=[0-9.]+$)/i, '')
    .replace(/%.*$/, '')
    .toLowerCase();
  const octets = ipOctets(ip);
  return { ip, group: octets?.length === 16 ? networkOf(octets) : ip, isLoopback: isLoopbackAddress(ip) };
}

/** The first 64 bits, as four groups without leading zeros. */
function networkOf(octets: Buffer): string {
  const groups = [0, 2, 4, 6].map((at) => octets.readUInt16BE(at).toString(16));
  return `${groups.join(':')}::/64`;
}
