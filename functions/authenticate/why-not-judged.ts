// Whose mail is not judged: what was submitted with a password, what the service itself wrote, and on a capture server
// without a DNS of its own what comes from the machine or network it stands in.
import { BlockList, isIP } from 'node:net';
import type { Session } from '#mail/envelope/envelope.ts';
import type { Config } from '#pipeline/config/config.ts';

const nearby = nearbyNetworks();

/** The reason, as a sentence, why mail of this session is not judged; null where it is. */
export function whyNotJudged(session: Session, config: Pick<Config, 'mode' | 'dns'>): string | null {
  switch (session.role) {
    case 'internal':
      return 'Not judged: the service itself wrote this message.';
    case 'submission':
    case 'submissions':
      return session.user === null
        ? 'Not judged: this message was submitted to a capture server.'
        : `Not judged: ${session.user} submitted this message with a password.`;
    case 'mx':
      break; // a name that a capture server was given proves nothing
  }
  const isCaptured = config.mode === 'capture' && config.dns.servers.length === 0;
  return isCaptured && session.clientIp !== null && isNearby(session.clientIp)
    ? 'Not judged: it came from this machine or its own network, on a capture server without dns.servers.'
    : null;
}

function isNearby(ip: string): boolean {
  const family = isIP(ip);
  return family !== 0 && nearby.check(ip, family === 4 ? 'ipv4' : 'ipv6');
}

/** Loopback, private and link-local addresses (RFC 1918, 3927, 4193, 4291); IPv4-mapped ones are found as IPv4. */
function nearbyNetworks(): BlockList {
  const list = new BlockList();
  list.addSubnet('127.0.0.0', 8, 'ipv4');
  list.addSubnet('10.0.0.0', 8, 'ipv4');
  list.addSubnet('172.16.0.0', 12, 'ipv4');
  list.addSubnet('192.168.0.0', 16, 'ipv4');
  list.addSubnet('169.254.0.0', 16, 'ipv4');
  list.addAddress('::1', 'ipv6');
  list.addSubnet('fc00::', 7, 'ipv6');
  list.addSubnet('fe80::', 10, 'ipv6');
  return list;
}
