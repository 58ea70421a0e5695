// What ships, built once for all test files that run it as it is: the folder is named for the sources it was made of, so
// that it is never of other ones. Whoever is first builds; two that are first at once both do, and one of them is kept.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildBundles } from '#local/build-bundles.ts';

const home = fileURLToPath(new URL('../../../', import.meta.url));
const cache = join(home, 'node_modules/.cache/pillarbox-bundles');
const madeOf = [
  'cdk/compare-config',
  'container',
  'functions',
  'mail',
  'pipeline',
  'local/build-bundles.ts',
  'package-lock.json',
];

/** The folder, as `buildBundles` leaves it: `functions/`, `container/`, `maps/`. Nobody may write to it. */
export async function sharedBundles(): Promise<string> {
  const folder = join(cache, digestOf(madeOf));
  if (existsSync(folder)) {
    utimesSync(folder, new Date(), new Date()); // in use
    return folder;
  }
  await mkdir(cache, { recursive: true });
  await sweep();
  const made = await mkdtemp(join(cache, 'making-'));
  await buildBundles(made);
  await rename(made, folder).catch(async (error: unknown) => {
    await rm(made, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  });
  return folder;
}

/** Those of other sources, when no run can be using them any more. */
async function sweep(): Promise<void> {
  for (const name of await readdir(cache)) {
    const { mtimeMs } = await stat(join(cache, name)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > 3_600_000) await rm(join(cache, name), { recursive: true, force: true });
  }
}

function digestOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(filesBelow)) hash.update(`${path}\0`).update(readFileSync(join(home, path)));
  return hash.digest('hex').slice(0, 32);
}

function filesBelow(path: string): readonly string[] {
  if (/\.\w+$/.test(path)) return [path];
  const files = readdirSync(join(home, path), { recursive: true, withFileTypes: true });
  return files.flatMap((file) => (file.isFile() ? [join(file.parentPath, file.name).slice(home.length)] : [])).sort();
}
