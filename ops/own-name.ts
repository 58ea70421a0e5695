// How a person starts this program: what the commands begin with that texts tell to copy.
import { sep } from 'node:path';

/** `home`: the folder of the package; `directory`: where the person is. */
export type Started = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly directory: string;
};

/** By what npm_config_user_agent begins with. */
const runners: readonly (readonly [agent: string, runner: string])[] = [
  ['pnpm/', 'pnpm exec'],
  ['yarn/', 'yarn'],
  ['bun/', 'bunx'],
];

/**
 * `pillarbox` where it is installed for the whole machine, or in the image; `npx pillarbox` (or that of another package manager) where a
 * package manager started it, or where it belongs to the project that the person is in.
 */
export function ownName({ environment, home, directory }: Started): string {
  const agent = environment['npm_config_user_agent'] ?? '';
  const isRun = agent !== '' || (environment['npm_command'] ?? '') !== '';
  const [, runner = 'npx'] = runners.find(([begins]) => agent.startsWith(begins)) ?? [];
  return isRun || isWithin(directory, projectOf(home)) ? `${runner} pillarbox` : 'pillarbox';
}

/** The folder whose node_modules has it; its own, if none has. */
function projectOf(home: string): string {
  const [project = home] = home.split(`${sep}node_modules${sep}`);
  return project;
}

function isWithin(directory: string, folder: string): boolean {
  return directory === folder || directory.startsWith(`${folder}${sep}`);
}
