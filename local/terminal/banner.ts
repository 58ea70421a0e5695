// What a person sees when the service has started: where to point a mail program, where to look, what to copy into an app.
import { resolve } from 'node:path';
import type { Service } from '#local/start-service.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { inUrl, settingsHead } from '#ops/programs/framework-settings.ts';
import { smtpOf, usualDataFolder } from '#ops/running-server.ts';
import { formatChaos } from '#pipeline/chaos/fault-words.ts';
import type { ChaosSettings } from '#pipeline/chaos/settings.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Arguments } from './arguments.ts';

/** The text, with its last newline. */
export function banner({
  service,
  config,
  configPath,
  args,
  chaos,
  self,
}: {
  readonly service: Pick<Service, 'listeners' | 'ops'>;
  readonly config: Pick<Config, 'mode' | 'hostname' | 'tls'>;
  /** Null where there is no file. */
  readonly configPath: string | null;
  readonly args: Pick<Arguments, 'dataFolder' | 'world' | 'framework' | 'anyLogin'>;
  /** Null while it is off. */
  readonly chaos: ChaosSettings | null;
  /** How a person starts this program. */
  readonly self: string;
}): string {
  const isCapture = config.mode === 'capture';
  const { dataFolder, world, anyLogin } = args;
  const { host, port } = service.ops;
  const lines = [
    isCapture
      ? 'Pillarbox is running: it catches every mail sent to it and passes nothing on.'
      : `Pillarbox is running as ${config.hostname}.`,
    '',
    ...service.listeners.map((one) => row(nameOf(one, config, anyLogin), `${inUrl(one.host)}:${one.port}`)),
    row('Mail and API', `http://${inUrl(host)}:${port}/`),
    row('Kept in', `${resolve(dataFolder)}${world === 'embedded' ? '' : ` (${world})`}`),
    ...(chaos === null ? [] : [row('Chaos', `${formatChaos(chaos)} (it refuses and loses mail on purpose)`)]),
    row('Configured by', configPath ?? `nothing: \`${self} init\` writes a pillarbox.json to start from`),
    ...(isCapture ? settingsLines(service, { ...args, self }) : []),
    '',
    'Stop it with Ctrl-C.',
  ];
  return `\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n\n`;
}

/** Where the settings for an app are to be had, or those that were asked for. */
function settingsLines(
  { listeners }: Pick<Service, 'listeners'>,
  { framework, dataFolder, self }: Pick<Arguments, 'framework' | 'dataFolder'> & { readonly self: string },
): readonly string[] {
  const smtp = smtpOf({ listeners: [...listeners] });
  if (smtp === null) return [];
  if (framework !== null) return ['', settingsHead(framework), '', ...framework.settings(smtp).split('\n')];
  const other = dataFolder === usualDataFolder ? '' : ` --data ${dataFolder}`;
  return [row('Settings for your app', `${self} settings rails${other} (or django, laravel, spring, …)`)];
}

const doors = {
  mx: 'SMTP',
  submission: 'Submission (STARTTLS)',
  submissions: 'Submission (TLS)',
} as const;

/** A local capture server offers STARTTLS only where a certificate is configured (container/log-in/local-capture.ts). */
function nameOf(
  { role, host }: { readonly role: keyof typeof doors; readonly host: string },
  { mode, tls }: Pick<Config, 'mode' | 'tls'>,
  anyLogin: boolean,
): string {
  const isClear = role === 'submission' && mode === 'capture' && tls === null && (anyLogin || isLoopbackHost(host));
  return isClear ? 'Submission' : doors[role];
}

function row(name: string, value: string): string {
  return `${name.padEnd(24)}${value}`;
}
