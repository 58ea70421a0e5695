// The arguments of `npm start` and `pillarbox start`, what the environment says in their place, and the text of `--help`.
import { parseArgs } from 'node:util';
import { errorMessage, isProblem, type Problem, problem } from '#mail/problem.ts';
import { wrapWords } from '#ops/help-text.ts';
import { type Framework, findFramework, frameworks } from '#ops/programs/framework-settings.ts';
import { usualDataFolder } from '#ops/running-server.ts';
import { environmentName, startAbout, startEnvironment, startHelp, startOptions } from '#ops/start-options.ts';
import { parseChaosWords } from '#pipeline/chaos/fault-words.ts';
import type { ChaosSettings } from '#pipeline/chaos/settings.ts';
import type { Config } from '#pipeline/config/config.ts';
import { didYouMean } from '#pipeline/config/nearest-name.ts';

type Role = Config['listeners'][number]['role'];

/** What was asked for; `configPath` null: `pillarbox.json` where there is one. */
export type Arguments = {
  readonly configPath: string | null;
  readonly dataFolder: string;
  /** The ports that were named; 0: any free one. */
  readonly ports: Readonly<Partial<Record<Role, number>>>;
  /** The address of all of them; null: as it is configured. */
  readonly smtpHost: string | null;
  readonly anyLogin: boolean;
  readonly http: { readonly host: string; readonly port: number };
  readonly world: 'embedded' | 'emulator';
  /** How many messages each mailbox keeps; null: as it is configured. */
  readonly keep: number | null;
  /** Faults to make on purpose instead of those of the configuration; null: none are named. */
  readonly chaos: ChaosSettings | 'off' | null;
  /** Whose settings the banner shows; null: it names where they are. */
  readonly framework: Framework | null;
  readonly verbose: boolean;
  readonly help: boolean;
};

type Given = Readonly<Record<string, string | boolean | undefined>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** What `--help` prints. `self`: how a person starts this program. */
export function usage(self: string): string {
  const lines = [...wrapWords(startAbout), '', ...startHelp(), '', ...wrapWords(startEnvironment), ''];
  return [`Usage: ${self} [start] [options]`, '', ...lines].join('\n');
}

/** The options of the command line by the roles that their ports have. */
const portOptions = { smtp: 'mx', submission: 'submission', submissions: 'submissions' } as const;

/** The option that names the port of a role. */
export function optionOf(role: Role): string {
  return Object.entries(portOptions).find(([, one]) => one === role)?.[0] ?? role;
}

/** Reads the arguments over the environment; a Problem says which one is wrong and what was expected. */
export function parseArguments(args: readonly string[], environment: Environment = {}): Arguments | Problem {
  const typed = readOptions(args);
  if (isProblem(typed)) return typed;
  const text = (name: string): Text => textOf(name, typed, environment);
  const http = portFrom(text('http'), 8025);
  const ports: Partial<Record<Role, number>> = {};
  for (const [option, role] of Object.entries(portOptions)) {
    const port = portFrom(text(option), null);
    if (isProblem(port)) return port;
    if (port !== null) ports[role] = port;
  }
  if (isProblem(http)) return http;
  const world = worldFrom(text('world'));
  if (typeof world !== 'string') return world;
  const framework = frameworkFrom(text('settings'));
  if (isProblem(framework)) return framework;
  const chaos = chaosFrom(text('chaos'));
  if (isProblem(chaos)) return chaos;
  const keep = keepFrom(text('keep'));
  if (isProblem(keep)) return keep;
  return {
    configPath: text('config').value,
    dataFolder: text('data').value ?? usualDataFolder,
    ports,
    smtpHost: text('smtp-host').value,
    anyLogin: isSwitched('any-login', typed, environment),
    http: { host: text('http-host').value ?? '127.0.0.1', port: http },
    world,
    framework,
    keep,
    chaos,
    verbose: isSwitched('verbose', typed, environment),
    help: typed['help'] === true,
  };
}

/** `from`: as the person has written it, for what is wrong with it. */
type Text = { readonly from: string; readonly value: string | null };

/** An empty variable counts as none: that is how a compose file leaves one out. */
function textOf(name: string, typed: Given, environment: Environment): Text {
  const given = typed[name];
  if (typeof given === 'string') return { from: `--${name} ${given}`, value: given };
  const variable = environmentName(name);
  const value = environment[variable];
  return { from: `${variable}=${value}`, value: value === undefined || value === '' ? null : value };
}

function isSwitched(name: string, typed: Given, environment: Environment): boolean {
  return typed[name] === true || /^(?:1|true|yes|on)$/i.test(environment[environmentName(name)] ?? '');
}

function portFrom<Usual>({ from, value }: Text, usual: Usual): number | Usual | Problem {
  if (value === null) return usual;
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  return port <= 65_535 ? port : problem(`${from}: a port from 0 to 65535 was expected`);
}

function keepFrom({ from, value }: Text): number | null | Problem {
  if (value === null) return null;
  return /^[1-9]\d{0,8}$/.test(value) ? Number(value) : problem(`${from}: a number of messages from 1 on was expected`);
}

function worldFrom({ from, value }: Text): Arguments['world'] | Problem {
  if (value === null || value === 'embedded') return 'embedded';
  return value === 'emulator' ? value : problem(`${from}: embedded or emulator was expected`);
}

function frameworkFrom({ from, value }: Text): Framework | null | Problem {
  if (value === null) return null;
  const names = frameworks.map(({ name }) => name);
  return findFramework(value) ?? problem(`${from}: there is ${names.join(', ')}.${didYouMean(value, names)}`);
}

function chaosFrom({ from, value }: Text): ChaosSettings | 'off' | null | Problem {
  if (value === null) return null;
  const chaos = parseChaosWords(value);
  return isProblem(chaos) ? problem(`${from}: ${chaos.problem}`) : chaos;
}

function readOptions(args: readonly string[]): Given | Problem {
  const types = Object.entries(startOptions).map(
    ([name, { value }]) => [name, { type: value === null ? 'boolean' : 'string' }] as const,
  );
  const options = { ...Object.fromEntries(types), help: { type: 'boolean', short: 'h' } as const };
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    // parseArgs throws what it did not understand as a sentence: a value for whoever typed it.
    return problem(errorMessage(error));
  }
}
