// What a person sees when the service has started: where to point a mail program, where to look, what it does not do.

import type { Service } from '#local/start-service.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import type { Config } from '#pipeline/config/config.ts';

/** The text, with its last newline. */
export function banner({
  service,
  config,
  configPath,
  dataFolder,
  world,
}: {
  readonly service: Pick<Service, 'listeners' | 'ops'>;
  readonly config: Pick<Config, 'mode' | 'hostname' | 'tls'>;
  /** Null where there is no file. */
  readonly configPath: string | null;
  readonly dataFolder: string;
  readonly world: string;
}): string {
  const isCapture = config.mode === 'capture';
  const lines = [
    isCapture
      ? 'Pillarbox is running: it catches every mail sent to it and passes nothing on.'
      : `Pillarbox is running as ${config.hostname}.`,
    '',
    ...service.listeners.map(({ role, host, port }) => row(nameOf(role, host, config), `${shownHost(host)}:${port}`)),
    row('Mail and API', `http://${shownHost(service.ops.host)}:${service.ops.port}/`),
    row('Kept in', `${dataFolder}${world === 'embedded' ? '' : ` (${world})`}`),
    row('Configured by', configPath ?? 'nothing: `npx pillarbox init` writes a pillarbox.json to start from'),
    '',
    'Stop it with Ctrl-C.',
  ];
  return `\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n\n`;
}

const doors = {
  mx: 'SMTP',
  submission: 'Submission (STARTTLS)',
  submissions: 'Submission (TLS)',
} as const;

/** A local capture server offers STARTTLS only where a certificate is configured (container/log-in/local-capture.ts). */
function nameOf(role: keyof typeof doors, host: string, { mode, tls }: Pick<Config, 'mode' | 'tls'>): string {
  const isClear = role === 'submission' && mode === 'capture' && tls === null && isLoopbackHost(host);
  return isClear ? 'Submission' : doors[role];
}

function row(name: string, value: string): string {
  return `${name.padEnd(24)}${value}`;
}

function shownHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
