// The threads of the built program that a server waits for when it starts, each as one file. A thread shares no loaded module with the
// process: to read a hundred files anew takes it longer than to open the store.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { requireInEsm } from './build-bundles.ts';
import { licencesOf } from './bundle-libraries.ts';

/** Files of `dist` that these threads are started with. What they import stays where it is: the process needs most of it, too. */
export const threads: readonly string[] = ['local/embedded/worker.js'];

/** Puts into these files all that they import, libraries too, and their licences into `dist/bundled/`. Throws with esbuild's errors. */
export async function bundleThreads({ home, dist }: { readonly home: string; readonly dist: string }): Promise<void> {
  const { metafile } = await build({
    entryPoints: threads.map((file) => join(dist, file)),
    outbase: dist,
    outdir: dist,
    allowOverwrite: true,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    minify: true,
    keepNames: true,
    metafile: true,
    mainFields: ['module', 'main'],
    absWorkingDir: home,
    legalComments: 'none',
    banner: { js: requireInEsm },
  });
  await writeFile(join(dist, 'bundled', 'LICENSES-threads.txt'), await licencesOf(home, Object.keys(metafile.inputs)));
}
