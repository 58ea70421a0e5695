// A server that others reach says its name in greeting, EHLO and Received: it must not be the placeholder it was set up with.

import { isLoopbackHost } from '#mail/address/loopback.ts';
import { whyNotPublic } from '#mail/address/reserved-name.ts';
import type { Config } from './config.ts';

/** Why this configuration must not be served to others under its hostname, as a sentence; null where it may be. */
export function placeholderProblem({
  mode,
  hostname,
  listeners,
}: Pick<Config, 'mode' | 'hostname' | 'listeners'>): string | null {
  const open = listeners.find(({ host }) => !isLoopbackHost(host));
  const reason = whyNotPublic(hostname);
  if (mode === 'capture' || open === undefined || reason === null) return null;
  const where = `${open.host.includes(':') ? `[${open.host}]` : open.host}:${open.port}`;
  return `hostname: ${hostname} ${reason}, and others can reach ${where}. Set "hostname" to the name that this server has in the DNS, or bind its listeners to 127.0.0.1.`;
}
