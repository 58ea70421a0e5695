// How much of what was written to a socket its peer has not taken yet, as Linux reports it. Node reports only that a third of the kernel's
// buffer is free again, which at a few KB/s takes longer than the time limit of a piece.
import { readFile } from 'node:fs/promises';
import { isIPv4, type Socket } from 'node:net';
import { ipOctets } from '#mail/address/ip-octets.ts';

/** In bytes; null if this system does not say, or the socket is closed. Never rejects. */
export async function unsentBytes({ localPort, remotePort, remoteAddress = '' }: Socket): Promise<number | null> {
  const ip = remoteAddress.replace(/%.*$/, '');
  if (localPort === undefined || remotePort === undefined) return null;
  const table = await readFile(isIPv4(ip) ? '/proc/net/tcp' : '/proc/net/tcp6', 'latin1').catch(() => '');
  const remote = `${hexAddress(ip)}:${hexPort(remotePort)}`;
  for (const line of table.split('\n')) {
    const [, local, peer, , queues] = line.trim().split(/\s+/);
    if (peer === remote && local?.endsWith(`:${hexPort(localPort)}`)) return Number.parseInt(queues ?? '', 16);
  }
  return null;
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** As `/proc/net/tcp` has it: words of 32 bits in the machine's order, which is little-endian wherever this runs. */
function hexAddress(ip: string): string {
  return ipOctets(ip)?.swap32().toString('hex').toUpperCase() ?? '';
}
