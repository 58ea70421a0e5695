// The options of `pillarbox start` and `npm start`: one table for reading them, for their help and for shell completion.
// What takes a value can be given in the environment as well, by one rule: --http-host is PILLARBOX_HTTP_HOST.
import { helpEntry } from './help-text.ts';
import { usualDataFolder } from './running-server.ts';

/** `value`: what follows `--name`; null for a switch. */
export type StartOption = { readonly value: string | null; readonly about: string };

/** By name, in the order of the help. */
export const startOptions = {
  smtp: {
    value: 'PORT',
    about:
      'the port for mail (default: 2525; 0 for any free one). Without a configuration no other port takes mail then, unless it is named, too',
  },
  submission: { value: 'PORT', about: 'the port for mail with a login (default: 2587)' },
  submissions: { value: 'PORT', about: 'the same under TLS from the first byte (default: 2465)' },
  'smtp-host': { value: 'HOST', about: 'the address that they are bound to (default: 127.0.0.1)' },
  'any-login': {
    value: null,
    about:
      'capture mode only: take mail without TLS and with any login, or none, from other machines, too: in a container, or a network you trust',
  },
  http: { value: 'PORT', about: 'the page and the API (default: 8025; 0 for any free port)' },
  'http-host': {
    value: 'HOST',
    about: 'the address that they are bound to (default: 127.0.0.1; elsewhere a token is needed)',
  },
  config: { value: 'FILE', about: 'the configuration (default: pillarbox.json where there is one)' },
  data: { value: 'DIR', about: `where mail and queues are kept (default: ${usualDataFolder})` },
  keep: {
    value: 'N',
    about: 'keep the newest N messages of each mailbox and delete older ones (default: all, for 30 days)',
  },
  settings: {
    value: 'NAME',
    about: 'show the settings to copy for rails, django, … (the command "settings" lists them)',
  },
  chaos: {
    value: 'FAULTS',
    about:
      'capture mode only: make faults on purpose, to try senders out: on, or such as "rcpt-451-10% slow-5s-data" (docs/chaos.md)',
  },
  world: {
    value: 'NAME',
    about: 'embedded (default), or emulator: the AWS adapters against S3 and SQS emulated here',
  },
  verbose: { value: null, about: 'log every message, also without a configuration' },
} as const satisfies Readonly<Record<string, StartOption>>;

export type StartOptionName = keyof typeof startOptions;

/** What it is called in the environment: PILLARBOX_HTTP_HOST for `http-host`. */
export function environmentName(option: string): string {
  return `PILLARBOX_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** What the command is for, as a paragraph. */
export const startAbout =
  'Runs Pillarbox on this machine: mail comes in over SMTP and is to be read as JSON, on a page and over an API. Without a configuration it is a capture server: every recipient is accepted, nothing is relayed, and only programs on this machine can reach it.';

/** What stands behind the options in the help. */
export const startEnvironment =
  'Each can be given in the environment instead: --http-host is PILLARBOX_HTTP_HOST, and --any-login is PILLARBOX_ANY_LOGIN=1. What is typed holds before that, and both before the configuration. Several servers run side by side if each has a folder and ports of its own: --data other --smtp 0 --http 0. The token of the API is PILLARBOX_TOKEN.';

/** The lines of the options. */
export function startHelp(): readonly string[] {
  const lines = Object.entries(startOptions).map(([name, { value, about }]) =>
    helpEntry(`--${name}${value === null ? '' : ` ${value}`}`, about, { column: 18 }),
  );
  return [...lines, helpEntry('--help', 'this text', { column: 18 })];
}
