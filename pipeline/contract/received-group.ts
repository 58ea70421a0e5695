// The fair-queue group of a job of `received`: the client's network, and the zone that the mail is from. The first word of a
// group is the network; queues with two levels share by networks first, then by the zones of each.
import { isIPv4, isIPv6 } from 'node:net';
import { peerOf } from '#mail/address/peer-address.ts';
import type { ReceivedJob } from './jobs.ts';

/**
 * `192.0.2.0/24 sender.example` and the like: the client's /24 or /64, and the zone of the reverse-path, or of the HELO
 * name if that is empty. Submitted mail goes by its user, the service's own by `internal`.
 */
export function receivedGroup({ envelope: { session, reversePath } }: Pick<ReceivedJob, 'envelope'>): string {
  if (session.user !== null) return `user:${session.user.replaceAll(/\s/g, '_')}`;
  if (session.clientIp === null) return 'internal';
  const domain = reversePath === '' ? (session.helo ?? '') : reversePath.slice(reversePath.lastIndexOf('@') + 1);
  return `${networkOf(session.clientIp)} ${zoneOf(domain)}`.trimEnd();
}

/** The part of a domain that has one owner, roughly: its last two labels, or three below the likes of `co.uk`. */
function zoneOf(domain: string): string {
  const labels = domain.toLowerCase().split('.').filter(Boolean);
  const [second = '', top = ''] = labels.slice(-2);
  const isPublicSuffix = labels.length > 2 && top.length === 2 && second.length <= 3;
  return labels.slice(isPublicSuffix ? -3 : -2).join('.');
}

function networkOf(clientIp: string): string {
  const { ip, group } = peerOf(clientIp);
  if (isIPv4(ip)) return ip.replace(/\d+$/, '0/24');
  return isIPv6(ip) ? group : 'unknown';
}
