// An IP address as the octets that it is written for: what is compared, reversed or cut off is these, never the text.
import { isIPv4, isIPv6 } from 'node:net';

/** The 4 octets of an IPv4 address or the 16 of an IPv6 one (any text of RFC 4291 §2.2, without a zone); null if it is neither. */
export function ipOctets(ip: string): Buffer | null {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number));
  if (!isIPv6(ip) || ip.includes('%')) return null;
  const [front = [], back] = ip.split('::').map(octetsOf);
  if (back === undefined) return Buffer.from(front);
  return Buffer.from([...front, ...Array.from({ length: 16 - front.length - back.length }, () => 0), ...back]);
}

/** Of groups with a colon between them; the last may be an IPv4 address. */
function octetsOf(groups: string): readonly number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
