// Which SMTP ports are opened: those of the configuration, changed by what the command line and the environment name.
import type { Config } from '#pipeline/config/config.ts';
import type { Arguments } from './arguments.ts';

type Listeners = Config['listeners'];

/**
 * A port that is named replaces the one of its role, or is added on 127.0.0.1. Without a configuration (`hasFile` false) naming
 * `--smtp` leaves the two submission ports shut unless they are named as well: a second server is then a matter of one port.
 */
export function chooseListeners(
  configured: Listeners,
  { ports, smtpHost }: Pick<Arguments, 'ports' | 'smtpHost'>,
  hasFile: boolean,
): Listeners {
  const usual = hasFile || ports.mx === undefined ? configured : configured.filter(({ role }) => role === 'mx');
  const kept = usual.map((one) => ({ ...one, port: ports[one.role] ?? one.port }));
  const added = (['mx', 'submission', 'submissions'] as const).flatMap((role) => {
    const port = ports[role];
    return port === undefined || kept.some((one) => one.role === role) ? [] : [{ role, host: '127.0.0.1', port }];
  });
  return [...kept, ...added].map((one) => (smtpHost === null ? one : { ...one, host: smtpHost }));
}
