// The configuration file as the command line edits it: checked before and after, written whole or not at all.
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from '#pipeline/config.ts';
import { parseConfig } from '#pipeline/parse-config.ts';
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

/** Reads and checks it. Throws a CliError where there is none, or it cannot be used. */
export async function readConfigFile(given: CliArguments, world: CliWorld): Promise<ConfigFile> {
  const path = configPath(given, world);
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    const isAbsent = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    if (!isAbsent) throw thrown;
    throw cliError(`there is no ${path}. Make one with "pillarbox init", or name it with --config.`, 'no-config');
  });
  return { path, text, config: checked(text, path) };
}

/** Writes a changed text in place of the file, if it is a good configuration. Its permissions stay. */
export async function writeConfigFile({ path }: ConfigFile, text: string): Promise<void> {
  checked(text, path);
  const { mode } = await stat(path);
  await writeWhole(path, text, mode & 0o777);
}

/** Writes beside the file, to the disk, then renames: a reader sees the old text or the new one. */
async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const beside = `${path}.${process.pid}.new`;
  try {
    const file = await open(beside, 'wx', mode);
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await rename(beside, path);
  } catch (thrown) {
    await rm(beside, { force: true });
    throw thrown;
  }
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
