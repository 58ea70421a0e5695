// Checks that the modules of hooks are there: a missing one is told only when mail comes.
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from '#pipeline/config/config.ts';
import { type Finding, missing } from './finding.ts';

/** `directory`: of the configuration, on this machine. */
export async function checkModules({ hooks }: Config, directory: string): Promise<readonly Finding[]> {
  const findings = hooks.map(async ({ name, module }): Promise<readonly Finding[]> => {
    if (module === undefined) return [];
    const path = resolve(directory, module);
    return access(path).then(
      () => [],
      () => [
        missing(`hooks, ${name}.module: there is no file ${path} that can be read`, {
          hint: 'Put it there, or take the hook out of the configuration.',
        }),
      ],
    );
  });
  return (await Promise.all(findings)).flat();
}
