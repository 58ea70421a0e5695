// The fair-queue groups of jobs. Of `received`: the client's network, and the zone that the mail is from. The first word of a
// group is the network; queues with two levels share by networks first, then by the zones of each.
import { isIPv4, isIPv6 } from 'node:net';
import { peerOf } from '#mail/address/peer-address.ts';
import type { ReceivedJob } from './jobs.ts';
import { smarthostDestination } from './keys.ts';

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

/** Of `deliver`, before its hosts are known. Jobs that go to one host are one group: with a smarthost that is all of them, else what deliver finds in the DNS decides. */
export function deliverGroup(
  {
    delivery: { mode, smarthost },
  }: {
    readonly delivery: { readonly mode: 'mx' | 'smarthost'; readonly smarthost: { readonly host: string } | null };
  },
  domain: string,
): string {
  return mode === 'smarthost' && smarthost !== null ? smarthostDestination(smarthost.host) : domain;
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
