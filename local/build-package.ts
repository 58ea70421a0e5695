// Builds what the npm package ships into `dist/`: the program as JavaScript with its types, the page's files, and the bundles that
// run on AWS, so that nobody who installs the package needs a compiler or esbuild. `npm pack` calls it (package.json, prepack).
// `--bundles FOLDER`: those bundles, which were built before.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { z } from 'zod';
import { buildConsole } from '#local/console/build-console.ts';
import { buildBundles } from './build-bundles.ts';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(home, 'dist');

const manifestSchema = z.object({ version: z.string(), imports: z.record(z.string(), z.string()) });

/** What runs as it is, beside the code that reads it. */
const exporter = 'cdk/export-certificate/index.mjs';

if (import.meta.main) {
  const { bundles } = parseArgs({ options: { bundles: { type: 'string' } } }).values;
  await rm(dist, { recursive: true, force: true });
  await Promise.all([compile(), copyFiles(), addConsole(), addBundles(join(dist, '.build'), bundles), writeManifest()]);
  await rm(join(dist, '.build', 'maps'), { recursive: true });
}

async function addBundles(folder: string, built: string | undefined): Promise<void> {
  if (built === undefined) await buildBundles(folder);
  else await cp(built, folder, { recursive: true });
}

/** Types were checked before, on the whole source: here they are only taken off, and written beside. */
async function compile(): Promise<void> {
  const tsc = join(home, 'node_modules', '.bin', 'tsc');
  await promisify(execFile)(tsc, ['-p', join(home, 'tsconfig.package.json')]);
}

async function copyFiles(): Promise<void> {
  await cp(join(home, exporter), join(dist, exporter));
}

async function addConsole(): Promise<void> {
  const folder = join(dist, 'console');
  await mkdir(folder, { recursive: true });
  await buildConsole(folder);
}

/** Imports between rooms (`#mail/…ts`) are written as in the source, and lead to what was built. */
async function writeManifest(): Promise<void> {
  const { version, imports } = manifestSchema.parse(JSON.parse(await readFile(join(home, 'package.json'), 'utf8')));
  const built = Object.keys(imports).map((room) => [`${room}.ts`, `${room.replace('#', './')}.js`]);
  await mkdir(dist, { recursive: true });
  const text = JSON.stringify({ type: 'module', version, imports: Object.fromEntries(built) }, null, 2);
  await writeFile(join(dist, 'package.json'), `${text}\n`);
}
