// Whether what is bound to an address can be reached from this machine alone.
import { isIP } from 'node:net';

/** True for `localhost` and names below it (RFC 6761 §6.3), 127.0.0.0/8 and `::1`, in brackets or not. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost')) return true;
  return bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}
