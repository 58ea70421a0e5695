// The name of a client, believed only if it leads back to the client (RFC 8601 §2.7.3 `iprev`).
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
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
  if (isIPv4(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  if (!isIPv6(address)) return null;
  const nibbles = expandIPv6(address).replaceAll(':', '');
  return `${[...nibbles].reverse().join('.')}.ip6.arpa`;
}

function expandIPv6(address: string): string {
  const plain = new SocketAddress({ address, family: 'ipv6' }).address;
  const hex = plain.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [a, b, c, d] = bytes.slice(0, 4).map(Number);
    return `${(((a ?? 0) << 8) | (b ?? 0)).toString(16)}:${(((c ?? 0) << 8) | (d ?? 0)).toString(16)}`;
  });
  const [head = '', tail] = hex.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(':');
}

function isSameAddress(a: string, b: string): boolean {
  if (isIPv4(a) || isIPv4(b)) return a === b;
  return isIPv6(a) && isIPv6(b) && expandIPv6(a) === expandIPv6(b);
}

async function answers(resolve: Resolve, name: string, type: string): Promise<readonly string[]> {
  try {
    const found = await resolve(name, type);
    return Array.isArray(found) ? found.filter((entry) => typeof entry === 'string') : [];
  } catch {
    return []; // Without an answer the name is not verified.
  }
}
