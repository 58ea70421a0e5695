// The name of a client, believed only if it leads back to the client (RFC 8601 §2.7.3 `iprev`).
import { isIPv4 } from 'node:net';
import { ipOctets } from '#mail/address/ip-octets.ts';
import type { Resolve } from '#pipeline/contract/ports.ts';

const maxNames = 5;

/**
 * The first name of the address's PTR records (at most 5 are looked at) that has the address among its own, in lower
 * case without a trailing dot; null if there is none or the DNS does not say. Never rejects.
 */
export async function verifiedReverseName(resolve: Resolve, ip: string): Promise<string | null> {
  const address = ip.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  const pointer = reversePointer(address);
  if (pointer === null) return null;
  const names = await answers(resolve, pointer, 'PTR');
  for (const name of names.slice(0, maxNames).map((text) => text.toLowerCase().replace(/\.$/, ''))) {
    const forward = await answers(resolve, name, isIPv4(address) ? 'A' : 'AAAA');
    if (forward.some((candidate) => isSameAddress(candidate, address))) return name;
  }
  return null;
}

/** The name whose PTR records an address has: `…in-addr.arpa` or `…ip6.arpa`; null if it is not an address. */
export function reversePointer(address: string): string | null {
  const octets = ipOctets(address);
  if (octets === null) return null;
  if (isIPv4(address)) return `${octets.reverse().join('.')}.in-addr.arpa`;
  return `${[...octets.toString('hex')].reverse().join('.')}.ip6.arpa`;
}

function isSameAddress(a: string, b: string): boolean {
  const [one, other] = [ipOctets(a), ipOctets(b)];
  return one !== null && other !== null && one.equals(other);
}

async function answers(resolve: Resolve, name: string, type: string): Promise<readonly string[]> {
  try {
    const found = await resolve(name, type);
    return Array.isArray(found) ? found.filter((entry) => typeof entry === 'string') : [];
  } catch {
    return []; // Without an answer the name is not verified.
  }
}
