// What a command of the command line is, and what it may use of the world, so that tests can run it in memory.

import type { Deployment } from '#ops/aws/open-deployment.ts';
import type { DataBackup } from '#ops/data-backup.ts';
import type { MailDeps } from '#ops/deps.ts';

/** The terminal, the working folder, the clock and HTTP, as a command sees them. */
export type CliWorld = {
  readonly write: (text: string | Uint8Array) => void;
  readonly writeError: (text: string) => void;
  /** All of standard input. */
  readonly readInput: () => Promise<Buffer>;
  /** Asks at the terminal without showing what is typed; null if there is no terminal. */
  readonly askSecretly: ((question: string) => Promise<string>) | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
  readonly fetch: typeof fetch;
  /** A deployment on AWS, to be asked like a server; rejects if there is none, or if AWS does not allow it. */
  readonly openDeployment: (deployment: Deployment, onProgress: (sentence: string) => void) => Promise<MailDeps>;
  /** Saves and restores data folders of this machine. */
  readonly dataBackup: DataBackup;
  readonly clock: () => number;
};

/** An option: what is behind `--name`, null for a switch; `many` may be given more than once, `hidden`: not in the help. */
export type CliOption = {
  readonly value: string | null;
  readonly about: string;
  readonly many?: boolean;
  readonly hidden?: boolean;
};

/** What was given: positional arguments in order, options by name (always a list). */
export type CliArguments = {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly switches: ReadonlySet<string>;
};

/** One command. `run` prints and answers the exit code: 0 done, 1 it did not work. */
export type Command = {
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly about: string;
  /** The least and the most positional arguments. */
  readonly takes: readonly [number, number];
  readonly options: Readonly<Record<string, CliOption>>;
  readonly run: (given: CliArguments, world: CliWorld) => Promise<number>;
};

/** A failure a person can act on. Exit code 2 is for a wrong command line, 1 for all else. */
export type CliError = Error & { readonly cliExitCode: 1 | 2; readonly code: string };

/** Makes one; `code` is a stable word for `--json`. */
export function cliError(message: string, code: string, exitCode: 1 | 2 = 1): CliError {
  return Object.assign(new Error(message), { cliExitCode: exitCode, code });
}

/** Says whether a thrown value was meant for the person at the terminal. */
export function isCliError(thrown: unknown): thrown is CliError {
  return thrown instanceof Error && 'cliExitCode' in thrown;
}

/** The one value of an option, or null. */
export function optionValue({ values }: CliArguments, name: string): string | null {
  return values[name]?.at(-1) ?? null;
}

/** Prints for programs (`--json`) or for people. */
export function print(
  given: CliArguments,
  world: CliWorld,
  shown: { readonly json: unknown; readonly text: string },
): void {
  const text = given.switches.has('json') ? safeJson(JSON.stringify(shown.json, null, 2)) : shown.text;
  world.write(text === '' || text.endsWith('\n') ? text : `${text}\n`);
}

/** A time (ISO 8601) to the second, UTC. */
export function shortTime(at: string): string {
  return at.slice(0, 19).replace('T', ' ');
}

/** Marks of writing direction and line ends that a terminal obeys or a reader does not see. */
const unseen = String.raw`\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff`;
const unseenOrControl = new RegExp(String.raw`[\0-\x1f${unseen}]+`, 'g');
const onlyUnseen = new RegExp(`[${unseen}]`, 'g');

/** What came from outside, safe for a terminal: control characters cannot move the cursor or fake a line. */
export function plain(value: unknown): string {
  return String(value ?? '').replace(unseenOrControl, ' ');
}

/** JSON as it was, with escapes for what a terminal would obey: JSON itself escapes the older controls only. */
export function safeJson(json: string): string {
  return json.replace(onlyUnseen, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Columns under heads. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows].map((row) => row.map(plain));
  const widths = heads.map((_, n) => Math.max(...all.map((row) => row[n]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, n) => cell.padEnd(widths[n] ?? 0))
      .join('  ')
      .trimEnd();
  return `${all.map(line).join('\n')}\n`;
}
