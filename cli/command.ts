// What a command of the command line is, and what it may use of the world, so that tests can run it in memory.
import type { Readable, Writable } from 'node:stream';
import type { z } from 'zod';
import type { Deployment, OpenedDeployment } from '#ops/aws/open-deployment.ts';
import type { DataBackup } from '#ops/data-backup.ts';
import type { DnsResolver, ResolverOptions } from '#pipeline/dns/resolver.ts';
import { safeJson } from '#pipeline/observe/log.ts';
import { type CliErrorCode, errorTable } from './error-codes.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';

export type CliWorld = {
  /** Of Pillarbox. */
  readonly version: string;
  /** How a person starts this program (ops/own-name.ts): every command to copy begins with it. */
  readonly self: string;
  readonly write: (text: string | Uint8Array) => void;
  readonly writeError: (text: string) => void;
  /** How wide the terminal is that `write` writes to; null: it is none. */
  readonly columns: number | null;
  /** All of standard input. */
  readonly readInput: () => Promise<Buffer>;
  /** For a command that talks a protocol over them. */
  readonly standardStreams: { readonly input: Readable; readonly output: Writable };
  /** Asks at the terminal without showing what is typed; null if there is no terminal. */
  readonly askSecretly: ((question: string) => Promise<string>) | null;
  /** Has the person edit a file; null if there is no terminal. Rejects if the editor fails. */
  readonly editFile: ((path: string) => Promise<void>) | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
  /** The IPv4 addresses of this machine's network interfaces that all the world can reach. */
  readonly publicAddresses: () => readonly string[];
  readonly fetch: typeof fetch;
  /** The DNS servers that this machine asks. */
  readonly dnsServers: () => readonly string[];
  /** Asks the DNS servers of a configuration. */
  readonly openResolver: (
    options: Pick<ResolverOptions, 'servers' | 'timeoutMs'>,
  ) => Pick<DnsResolver, 'resolve' | 'close'>;
  /** A deployment on AWS; rejects if there is none, or if AWS does not allow it. */
  readonly openDeployment: (
    deployment: Deployment,
    onProgress: (sentence: string) => void,
  ) => Promise<OpenedDeployment>;
  readonly dataBackup: DataBackup;
  readonly clock: () => number;
};

/** `value`: what follows `--name`, null for a switch. `many`: may be given more than once. `hidden`: not in the help. */
export type CliOption = {
  readonly value: string | null;
  readonly about: string;
  readonly many?: boolean;
  readonly hidden?: boolean;
};

/** What every command takes. */
export const commonOptions: Readonly<Record<'json' | 'help', CliOption>> = {
  json: { value: null, about: 'print JSON, for programs' },
  help: { value: null, about: 'this text' },
};

export type CliArguments = {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly switches: ReadonlySet<string>;
  /** Of the terminal; null: the output goes elsewhere. */
  readonly columns: number | null;
  /** How a person starts this program. */
  readonly self: string;
};

/** `run` prints, and answers the exit code. */
export type Command = {
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly about: string;
  /** The least and the most positional arguments. */
  readonly takes: readonly [number, number];
  readonly options: Readonly<Record<string, CliOption>>;
  /** The names that its first positional argument may be, as far as they are known: for shell completion. */
  readonly completes?: readonly string[];
  /** What `--json` prints to standard output. */
  readonly gives: z.ZodType;
  /** What it may find that makes the exit code 3, in words: "if …"; left out: nothing. */
  readonly finds?: string;
  readonly run: (given: CliArguments, world: CliWorld) => Promise<ExitCode>;
};

/** A failure that the user can act on. `code`: a word of the table, or what a server refused it with. */
export type CliError = Error & { readonly cliExitCode: FailedCode; readonly code: string };

type FailedCode = typeof exitCodes.failed | typeof exitCodes.wrongUse;

/** `code` is a stable word for `--json`, which has its exit code. */
export function cliError(message: string, code: CliErrorCode): CliError {
  return Object.assign(new Error(message), { cliExitCode: errorTable[code].exit, code });
}

/** What a server refused; `code`: its word for that, which may be one of another version. */
export function refusalError(message: string, code: string, exit: FailedCode = exitCodes.failed): CliError {
  return Object.assign(new Error(message), { cliExitCode: exit, code });
}

export function usageError(message: string): CliError {
  return cliError(message, 'usage');
}

export function isCliError(thrown: unknown): thrown is CliError {
  return thrown instanceof Error && 'cliExitCode' in thrown;
}

/** The one value of an option, or null. */
export function optionValue({ values }: CliArguments, name: string): string | null {
  return values[name]?.at(-1) ?? null;
}

/** What `--json` prints, and what people see. */
export type Shown = { readonly json: unknown; readonly text: string };

export function print(given: CliArguments, world: CliWorld, shown: Shown): void {
  const text = given.switches.has('json') ? safeJson(JSON.stringify(shown.json, null, 2)) : shown.text;
  world.write(text === '' || text.endsWith('\n') ? text : `${text}\n`);
}

/** A time (ISO 8601) to the second, UTC. */
export function shortTime(at: string): string {
  return at.slice(0, 19).replace('T', ' ');
}

/** Text from outside, safe for a terminal: without control characters, line ends and marks of writing direction. */
export function plain(value: unknown): string {
  return String(value ?? '').replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+/gu, ' ');
}

/** Text as one word of a shell command. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Less of the last column tells nothing. */
const leastColumn = 10;

/**
 * Columns under heads. A terminal too narrow for them cuts the last column short; if that is not enough, each row has a line for each of its
 * cells, uncut, since an id is to be copied.
 */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | null = null,
): string {
  const all = [heads, ...rows].map((row) => row.map(plain));
  const widths = heads.map((_, n) => Math.max(...all.map((row) => row[n]?.length ?? 0)));
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const room = columns === null ? Number.POSITIVE_INFINITY : columns - before;
  if (room < Math.min(leastColumn, widths.at(-1) ?? 0)) return blocks(all);
  const cut = (cell: string): string => (cell.length > room ? `${cell.slice(0, room - 1)}…` : cell);
  const lines = all.map((row) =>
    row.map((cell, n) => (n === heads.length - 1 ? cut(cell) : cell.padEnd(widths[n] ?? 0))).join('  '),
  );
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function blocks([heads = [], ...rows]: readonly (readonly string[])[]): string {
  return rows.map((row) => heads.map((head, n) => `${head}: ${row[n] ?? ''}\n`).join('')).join('\n');
}
