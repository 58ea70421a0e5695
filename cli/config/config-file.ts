// The configuration file as the command line edits it: checked before and after, written whole or not at all.
import { open, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type CliArguments, type CliWorld, cliError, optionValue } from '#cli/command.ts';
import { errorMessage } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { rewriteFile } from '#pipeline/config/rewrite-file.ts';

export const configOption = {
  config: { value: 'FILE', about: 'the configuration (default pillarbox.json)' },
} as const;

/** `path`: of the file, or the URL of a deployment's object. */
export type ConfigFile = { readonly path: string; readonly text: string; readonly config: Config };

export function configPath(given: CliArguments, { directory }: CliWorld): string {
  return resolve(directory, optionValue(given, 'config') ?? 'pillarbox.json');
}

/** Reads and checks it. Throws a CliError if there is none, or if it cannot be used. */
export async function readConfigFile(given: CliArguments, world: CliWorld): Promise<ConfigFile> {
  const path = configPath(given, world);
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    const isAbsent = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    if (!isAbsent) throw cliError(`${path} cannot be read: ${errorMessage(thrown)}`, 'no-config');
    throw cliError(`there is no ${path}. Make one with "${given.self} init", or name it with --config.`, 'no-config');
  });
  return { path, text, config: checkedConfig(text, path) };
}

/**
 * Replaces the file by a changed text, if that is a good configuration and the file is still as it was read. With password
 * hashes in it, only its owner can read it from now on: if that is new, answers a sentence that says so; else null.
 */
export async function writeConfigFile({ path, text: expected }: ConfigFile, text: string): Promise<string | null> {
  const hasHashes = checkedConfig(text, path).users.some(({ password }) => password.startsWith('scrypt:'));
  const written = await rewriteFile(path, { expected, text, permitted: hasHashes ? 0o600 : 0o777 }).catch(
    (thrown: unknown) => {
      throw cliError(`${path} cannot be written (run this as its owner): ${errorMessage(thrown)}`, 'not-writable');
    },
  );
  if (written.outcome === 'changed') {
    throw cliError(`${path} was changed by somebody else meanwhile: nothing was written; try again`, 'changed');
  }
  const { before, mode } = written;
  if (before === mode) return null;
  return `${path} has password hashes: it can be read by its owner alone now (mode ${mode.toString(8)}, before ${before.toString(8)})`;
}

/** Writes a file that must not be there yet; answers whether it was written. */
export async function writeNew(path: string, text: string, mode: number): Promise<boolean> {
  try {
    const file = await open(path, 'wx', mode);
    await file.writeFile(text);
    await file.sync();
    await file.close();
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return false;
    throw thrown;
  }
}

/** The configuration that a text is. Throws a CliError that names every fault. */
export function checkedConfig(text: string, path: string): Config {
  try {
    return parseConfig(text, path);
  } catch (thrown) {
    throw cliError(errorMessage(thrown), 'bad-config');
  }
}
