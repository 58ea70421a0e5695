// The console's files: those that the package brings, or, in a checkout, bundled at first use and kept in `.build/console`
// under a name made of all that they are made of, so that a change of the source is seen at the next start.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConsoleFile } from '#ops/console/page.ts';
import { type ClientSupport, clientSupportSchema } from '#ops/content/client-report.ts';
import { clientsFile } from './clients-file.ts';
import { keptFolder } from './kept-folder.ts';

const home = fileURLToPath(new URL('../../', import.meta.url));
/** Of the package: there is no source beside it. */
const shipped = join(home, 'console');

/** What was built: `files` are served, `clientSupport` is for the API, which answers from it. */
export type BuiltConsole = { readonly files: readonly ConsoleFile[]; readonly clientSupport: ClientSupport };

/** Throws with esbuild's errors where the source cannot be bundled. */
export async function builtConsole(): Promise<BuiltConsole> {
  const folder = existsSync(shipped) ? shipped : await bundledFolder();
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  const names = (await readdir(folder)).filter((name) => name !== clientsFile).sort();
  const files = names.map(async (name) => ({ name, body: await read(name) }));
  return {
    files: await Promise.all(files),
    clientSupport: clientSupportSchema.parse(JSON.parse(await read(clientsFile))),
  };
}

async function bundledFolder(): Promise<string> {
  const parent = join(home, '.build/console');
  const make = async (folder: string): Promise<void> => (await import('./build-console.ts')).buildConsole(folder);
  return keptFolder({ parent, name: await nameOfContent(), make, nowMs: Date.now() });
}

async function nameOfContent(): Promise<string> {
  const hash = createHash('sha256');
  const files: string[] = [];
  for await (const file of glob(['ops/console/**/*', 'local/console/*', 'package-lock.json'], { cwd: home })) {
    if (/\.\w+$/.test(file)) files.push(file);
  }
  for (const file of files.sort()) hash.update(`${file}\0`).update(await readFile(join(home, file)));
  return hash.digest('hex').slice(0, 16);
}
