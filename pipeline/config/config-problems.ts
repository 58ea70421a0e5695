// What is wrong with a configuration although its schema allows it.
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { whyNotPublic } from '#mail/address/reserved-name.ts';
import type { Config } from './config.ts';

/**
 * Why a server that others reach must not say its `hostname` in greeting, EHLO and Received: it is still the placeholder of
 * the example. A sentence; null if it may.
 */
export function placeholderProblem(config: Pick<Config, 'mode' | 'hostname' | 'listeners'>): string | null {
  const { mode, hostname, listeners } = config;
  const open = listeners.find(({ host }) => !isLoopbackHost(host));
  const reason = whyNotPublic(hostname);
  if (mode === 'capture' || open === undefined || reason === null) return null;
  const where = `${open.host.includes(':') ? `[${open.host}]` : open.host}:${open.port}`;
  return `hostname: ${hostname} ${reason}, and others can reach ${where}. Set "hostname" to the name that this server has in the DNS, or bind its listeners to 127.0.0.1.`;
}
