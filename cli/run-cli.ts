// The command line: finds the command, reads its options, and turns every failure into a sentence and an exit code
// (exit-codes.ts), never into a stack trace.
import { parseArgs } from 'node:util';
import { errorMessage } from '#mail/problem.ts';
import { helpEntry, wrapWords } from '#ops/help-text.ts';
import { didYouMean } from '#pipeline/config/nearest-name.ts';
import { safeJson } from '#pipeline/observe/log.ts';
import {
  type CliArguments,
  type CliOption,
  type CliWorld,
  type Command,
  cliError,
  commonOptions,
  isCliError,
  plain,
  usageError,
} from './command.ts';
import { type ExitCode, exitCodes, exitCodeTable } from './exit-codes.ts';

type Cli = { readonly commands: readonly Command[]; readonly world: CliWorld };

/** Runs one command line (without the program's name); answers the exit code. */
export async function runCli(argv: readonly string[], { commands, world }: Cli): Promise<ExitCode> {
  try {
    const [first = '--help'] = argv;
    const asJson = argv.includes('--json');
    if (first === '--version' || first === '-v')
      return say(world, asJson ? jsonText({ version: world.version }) : `pillarbox ${world.version}\n`);
    const isOverview = /^(?:--help|-h|help)$/.test(first) && argv.slice(1).every((word) => word === '--json');
    if (isOverview) return say(world, asJson ? jsonText(described(commands)) : overview(commands, world));
    const words = first === 'help' ? [...argv.slice(1), '--help'] : argv;
    const { command, rest } = findCommand(commands, words, world.self);
    if (rest.includes('--help') || rest.includes('-h'))
      return say(world, asJson ? jsonText(described([command])) : help(command, world));
    const { columns, self } = world;
    return await command.run({ ...readArguments(command, rest, self), columns, self }, world);
  } catch (thrown) {
    return explain(thrown, argv.includes('--json'), world);
  }
}

function say(world: CliWorld, text: string): ExitCode {
  world.write(text);
  return exitCodes.done;
}

function jsonText(value: unknown): string {
  return `${safeJson(JSON.stringify(value, null, 2))}\n`;
}

function explain(thrown: unknown, asJson: boolean, world: CliWorld): ExitCode {
  const message = errorMessage(thrown);
  const { code, cliExitCode: exit } = isCliError(thrown) ? thrown : cliError(message, 'failed');
  if (asJson) world.writeError(`${safeJson(JSON.stringify({ error: { code, message } }))}\n`);
  else world.writeError(`pillarbox: ${message.split('\n').map(plain).join('\n')}\n`); // it may quote a peer
  return exit;
}

/** A command's name may be two words (`user add`). */
function findCommand(commands: readonly Command[], argv: readonly string[], self: string) {
  for (const length of [2, 1]) {
    const command = commands.find(({ name }) => name === argv.slice(0, length).join(' '));
    if (command !== undefined) return { command, rest: argv.slice(length) };
  }
  const typed = argv[0] ?? '';
  const names = commands.map(({ name }) => name);
  const begun = names.filter((name) => name.startsWith(`${typed} `));
  if (begun.length > 0) throw usageError(`${typed} what? There is: ${begun.join(', ')}`);
  throw usageError(`there is no command "${typed}".${meant(typed, names)} "${self} --help" lists all.`);
}

function readArguments(
  command: Command,
  rest: readonly string[],
  self: string,
): Omit<CliArguments, 'columns' | 'self'> {
  const options: Command['options'] = { ...command.options, ...commonOptions };
  const { positionals, tokens } = parseTokens(options, rest);
  const values: Record<string, string[]> = {};
  const switches = new Set<string>();
  for (const { name, value, inlineValue } of tokens) {
    const option = options[name];
    if (option === undefined) throw usageError(unknownOption(command, name, Object.keys(options)));
    if (option.value === null && value !== undefined) throw usageError(`--${name} takes no value`);
    if (option.value === null) switches.add(name);
    // "--domain --json": the value was forgotten. One that begins so is given as --domain=--json.
    else if (value === undefined || (!inlineValue && value.startsWith('--')))
      throw usageError(`--${name} needs a value: --${name} ${option.value}`);
    else if (values[name] !== undefined && !option.many) throw usageError(`--${name} was given twice`);
    else values[name] = [...(values[name] ?? []), value];
  }
  const [least, most] = command.takes;
  if (positionals.length < least || positionals.length > most) {
    throw usageError(`usage: ${self} ${command.name} ${command.usage}`);
  }
  return { positionals, values, switches };
}

function unknownOption(command: Command, name: string, known: readonly string[]): string {
  if (name === 'stack') return `--stack does not go with "${command.name}": it is for this machine alone`;
  return `there is no --${name} here.${meant(name, known)}`;
}

function parseTokens(options: Readonly<Record<string, CliOption>>, args: readonly string[]) {
  const types = Object.entries(options).map(([name, { value }]) => {
    return [name, { type: value === null ? 'boolean' : 'string', multiple: true }] as const;
  });
  const { positionals, tokens = [] } = parseArgs({
    args: [...args],
    options: Object.fromEntries(types),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  return { positionals, tokens: tokens.filter((token) => token.kind === 'option') };
}

type Shows = Pick<CliWorld, 'columns' | 'self'>;

function overview(commands: readonly Command[], { columns, self }: Shows): string {
  const width = Math.max(...commands.map(({ name, usage }) => `${name} ${usage}`.length), 0);
  const column = Math.min(width, 34);
  const lines = commands.map(({ name, usage, about }) => helpEntry(`${name} ${usage}`, about, { column, columns }));
  return [
    `Usage: ${self} [start] [options]`,
    `       ${self} COMMAND [options]`,
    '',
    ...wrapWords('Without a command it starts the server: a safe place to send mail to.', columns),
    '',
    ...lines,
    '',
    ...wrapWords(`Each has --help and --json. What the server takes says "${self} start --help".`, columns),
    ...wrapWords(`Exit codes: ${exitCodeTable.map(({ code, about }) => `${code} ${about}`).join('; ')}.`, columns),
    '',
  ].join('\n');
}

function help(command: Command, { columns, self }: Shows): string {
  const { name, usage, about, finds } = command;
  const lines = shownOptions(command).map(([option, { value, about: what }]) => {
    return helpEntry(`--${option}${value === null ? '' : ` ${value}`}`, what, { column: 26, columns });
  });
  const code = finds === undefined ? [] : ['', ...wrapWords(`Exit code ${exitCodes.foundProblems} ${finds}.`, columns)];
  const head = [...wrapWords(`Usage: ${self} ${name} ${usage}`.trimEnd(), columns), '', ...wrapWords(about, columns)];
  return [...head, '', ...lines, ...code, ''].join('\n');
}

/** Those that the help has, by their names. */
export function shownOptions({ options }: Command): readonly (readonly [string, CliOption])[] {
  return Object.entries({ ...options, ...commonOptions }).filter(([, { hidden }]) => hidden !== true);
}

/** The help for programs. */
function described(commands: readonly Command[]) {
  const all = commands.map((command) => {
    const { name, usage, about, finds = null } = command;
    const options = shownOptions(command).map(([option, { value, about: what, many = false }]) => {
      return { name: option, value, about: what, many };
    });
    return { name, usage, about, options, finds };
  });
  return { commands: all, exitCodes: exitCodeTable };
}

function meant(typed: string, names: readonly string[]): string {
  return didYouMean(typed, [...new Set(names.map((name) => name.split(' ')[0] ?? ''))]);
}
