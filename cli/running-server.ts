// The server that was started in this folder: by what it says of itself in its data folder.
import { resolve } from 'node:path';
import { findServer, type RunningServer, usualDataFolder } from '#ops/running-server.ts';
import { type CliArguments, type CliWorld, optionValue } from './command.ts';

/** For commands that talk to one of several servers. */
export const dataOption = {
  data: { value: 'DIR', about: `the data folder of the server (default ${usualDataFolder}; or PILLARBOX_DATA)` },
} as const;

/** The server with the data folder that is named (by `--data`, then PILLARBOX_DATA, else the usual one); null if none runs on it. */
export async function runningServer(
  given: CliArguments,
  { directory, environment }: Pick<CliWorld, 'directory' | 'environment'>,
): Promise<RunningServer | null> {
  const named = optionValue(given, 'data') ?? (environment['PILLARBOX_DATA'] || usualDataFolder);
  return findServer(resolve(directory, named));
}
