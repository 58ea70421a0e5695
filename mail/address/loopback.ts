// Which addresses are this machine's own (RFC 6890: 127.0.0.0/8, ::1): nobody is in between.
import { isIPv4 } from 'node:net';

/** Says whether an IP address never leaves this machine; an IPv4-mapped one counts as the IPv4 address. Names are none. */
export function isLoopbackAddress(ip: string): boolean {
  const bare = ip.replace(/^::ffff:(?=[0-9.]+$)/i, '');
  return bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'));
}

/** The same of a host: also `localhost` and the names below it (RFC 6761 §6.3). An address may be in brackets. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return bare === 'localhost' || bare.endsWith('.localhost') || isLoopbackAddress(bare);
}
