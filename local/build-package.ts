// Builds what the npm package ships into `dist/`: the program as JavaScript with its types, the page's files, and the bundles that
// run on AWS, so that nobody who installs the package needs a compiler or esbuild. `npm pack` calls it (package.json, prepack).
// `--bundles FOLDER`: those bundles, which were built before.
import { execFile } from 'node:child_process';
import { cp, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { z } from 'zod';
import { buildConsole } from '#local/console/build-console.ts';
import { buildBundles } from './build-bundles.ts';
import { bundledImports, bundleLibraries } from './bundle-libraries.ts';
import { bundleStart } from './bundle-start.ts';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(home, 'dist');

const names = z.record(z.string(), z.string());
const manifestSchema = z.object({
  version: z.string(),
  imports: names,
  dependencies: names,
});

/** What an app imports; the libraries that it needs for that are its own. */
const appRooms = ['cdk', 'consume'];
const exporter = 'cdk/export-certificate/index.mjs';

if (import.meta.main) {
  const { bundles } = parseArgs({ options: { bundles: { type: 'string' } } }).values;
  await rm(dist, { recursive: true, force: true });
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(home, 'package.json'), 'utf8')));
  await Promise.all([
    compile().then(() =>
      bundleLibraries({ home, dist, installed: Object.keys(manifest.dependencies), consumers: appRooms }),
    ),
    copyFiles(),
    addConsole(),
    addBundles(join(dist, '.build'), bundles),
    writeManifest(manifest),
  ]);
  await bundleStart({ home, dist });
  await rm(join(dist, '.build', 'maps'), { recursive: true });
}

async function addBundles(folder: string, built: string | undefined): Promise<void> {
  if (built === undefined) await buildBundles(folder);
  else await cp(built, folder, { recursive: true });
}

/** Types were checked before, on the whole source: here they are only taken off, and written beside. The emulator stays here. */
async function compile(): Promise<void> {
  const tsc = join(home, 'node_modules', '.bin', 'tsc');
  await promisify(execFile)(tsc, ['-p', join(home, 'tsconfig.package.json')]);
  for await (const left of glob('local/{emulator,build-bundles.*,console/{build-console,client-support}.*}', {
    cwd: dist,
  })) {
    await rm(join(dist, left), { recursive: true });
  }
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
async function writeManifest({ version, imports }: z.output<typeof manifestSchema>): Promise<void> {
  const built = Object.keys(imports).map((room) => [`${room}.ts`, `${room.replace('#', './')}.js`]);
  await mkdir(dist, { recursive: true });
  const text = JSON.stringify(
    { type: 'module', version, imports: { ...Object.fromEntries(built), ...bundledImports } },
    null,
    2,
  );
  await writeFile(join(dist, 'package.json'), `${text}\n`);
}
