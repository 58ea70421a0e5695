// The server that was started in this folder: by what it says of itself in its data folder.
import { resolve } from 'node:path';
import { findServer, type RunningServer, usualDataFolder } from '#ops/running-server.ts';
import { type CliArguments, type CliWorld, cliError, optionValue, shellWord } from './command.ts';

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

/** The same, for commands that would else go to a server of another folder: throws a CliError if none runs on a folder that is named. */
export async function namedServer(
  given: CliArguments,
  world: Pick<CliWorld, 'directory' | 'environment'>,
): Promise<RunningServer | null> {
  const running = await runningServer(given, world);
  const folder = optionValue(given, 'data');
  if (running !== null || folder === null) return running;
  const start = `Start one with "${given.self} --data ${shellWord(folder)}", or name another.`;
  throw cliError(`no server is running on the data folder ${folder}. ${start}`, 'no-server');
}
