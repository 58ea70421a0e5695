// Checks that other servers can reach the listener for incoming mail: they connect to port 25, and not to loopback.
import { isLoopbackHost } from '#mail/address/loopback.ts';
import type { Config } from '#pipeline/config/config.ts';
import { advice, type Finding } from './finding.ts';

/** Only advice: a proxy or a packet filter may lead from port 25 to a listener, and cannot be seen from here. */
export function checkListeners({ mode, listeners }: Pick<Config, 'mode' | 'listeners'>): readonly Finding[] {
  const exchanges = listeners.filter(({ role }) => role === 'mx');
  const [first] = exchanges;
  if (mode === 'capture' || first === undefined) return [];
  const open = exchanges.filter(({ host }) => !isLoopbackHost(host));
  if (open.length === 0) {
    const what = `mail comes in at ${placeOf(first)}, which only this machine reaches; other servers call port 25`;
    const hint = `For mail from others: in "listeners", "host": "0.0.0.0" and "port": 25 (or lead port 25 to ${first.port}).`;
    return [advice(what, { hint })];
  }
  if (open.some(({ port }) => port === 25)) return [];
  const what = `mail comes in at ${open.map(placeOf).join(', ')}; other servers call port 25, which has to lead there`;
  return [advice(what)];
}

function placeOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
