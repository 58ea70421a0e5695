// Whether a connection could not be opened because this machine has no descriptors, ports or network left.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** Says whether this machine knows a way to an address. Must send nothing. */
export type HasRoute = (ip: string) => Promise<boolean>;

/** What the system says when it has run out of something, and what that is. */
const usedUp: ReadonlyMap<string, string> = new Map([
  ['EMFILE', 'this process has as many files and connections open as it may'],
  ['ENFILE', 'this machine has as many files and connections open as it may'],
  ['ENOBUFS', 'this machine has no memory left for connections'],
  ['ENOMEM', 'this machine has no memory left for connections'],
]);

/** Documentation addresses (RFC 5737, RFC 3849) are in no local network, so the route to them is the default route. */
const outside = ['192.0.2.1', '2001:db8::1'] as const;

/**
 * What is wrong with this machine, as a sentence that is the same for all hosts, if `connect` to an address failed with this code;
 * null if that says nothing of it. No way to one host, or in one family, is not ours while the other family has a way out.
 */
export async function ownConnectFault(code: string, ip: string, hasRoute: HasRoute = knowsWay): Promise<string | null> {
  const shortage = usedUp.get(code);
  if (shortage !== undefined) return `no connection can be opened: ${shortage} (${code})`;
  if (code === 'EADDRNOTAVAIL' && (await hasRoute(ip))) {
    return `no connection can be opened: this machine has no port left for one (${code})`;
  }
  if (code !== 'ENETUNREACH' && code !== 'ENETDOWN' && code !== 'EADDRNOTAVAIL') return null;
  const ways = await Promise.all(outside.map(hasRoute));
  return ways.some((isThere) => isThere) ? null : `this machine has no way out to the network (${code})`;
}

/** To connect over UDP looks for a route and sends nothing. */
function knowsWay(ip: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4');
    const settle = (isThere: boolean): void => {
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      resolve(isThere);
    };
    socket.once('error', () => settle(false));
    socket.connect(9, ip, (error?: unknown) => settle(error === undefined || error === null));
  });
}
