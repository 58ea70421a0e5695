// The configuration file as the command line edits it: checked before and after, written whole or not at all.
import { open, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from '#pipeline/config/config.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { rewriteFile } from '#pipeline/config/rewrite-file.ts';
import { type CliArguments, type CliWorld, cliError, optionValue } from './command.ts';

/** The option that names the file. */
export const configOption = {
  config: { value: 'FILE', about: 'the configuration (default pillarbox.json)' },
} as const;

export type ConfigFile = { readonly path: string; readonly text: string; readonly config: Config };

/** The path of the file that is meant. */
export function configPath(given: CliArguments, { directory }: CliWorld): string {
  return resolve(directory, optionValue(given, 'config') ?? 'pillarbox.json');
}

/** Reads and checks it. Throws a CliError if there is none, or if it cannot be used. */
export async function readConfigFile(given: CliArguments, world: CliWorld): Promise<ConfigFile> {
  const path = configPath(given, world);
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    const isAbsent = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    if (!isAbsent) throw thrown;
    throw cliError(`there is no ${path}. Make one with "pillarbox init", or name it with --config.`, 'no-config');
  });
  return { path, text, config: checked(text, path) };
}

/**
 * Writes a changed text in place of the file, if it is a good configuration and the file is still the one that was read. With
 * password hashes in it, it is its owner's alone from now on: then, and where it was not before, a sentence that says so; else null.
 */
export async function writeConfigFile({ path, text: expected }: ConfigFile, text: string): Promise<string | null> {
  const hasHashes = checked(text, path).users.some(({ password }) => password.startsWith('scrypt:'));
  const written = await rewriteFile(path, { expected, text, permitted: hasHashes ? 0o600 : 0o777 }).catch(
    (thrown: unknown) => {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw cliError(`${path} cannot be written (run this as its owner): ${reason}`, 'not-writable');
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

function checked(text: string, path: string): Config {
  try {
    return parseConfig(text, path);
  } catch (thrown) {
    throw cliError(thrown instanceof Error ? thrown.message : String(thrown), 'bad-config');
  }
}
