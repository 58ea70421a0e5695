// What somebody waits for when a server of the built program starts, in a few files instead of hundreds: to find, read and compile
// each alone takes longer than to open the store.
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { requireInEsm } from './build-bundles.ts';
import { licencesOf } from './bundle-libraries.ts';

/** Files of `dist` that threads are started with. A thread shares no loaded module with the process: each is one file, libraries too. */
export const threads: readonly string[] = ['local/embedded/worker.js'];

/** The server within somebody's test. Libraries stay outside; what it loads only for a first job is in files of its own beside it. */
const server = 'testing/capture-server.js';

/** Bundles these files over what was compiled; the licences of the libraries in threads are then in `dist/bundled/`. Throws with esbuild's errors. */
export async function bundleStart({ home, dist }: { readonly home: string; readonly dist: string }): Promise<void> {
  const options = {
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
  } satisfies BuildOptions;
  const inDist = (file: string): string => join(dist, file);
  const [{ metafile }] = await Promise.all([
    build({ ...options, entryPoints: threads.map(inDist), banner: { js: requireInEsm } }),
    build({
      ...options,
      entryPoints: [inDist(server)],
      splitting: true,
      chunkNames: `${dirname(server)}/[name]-[hash]`,
      packages: 'external',
      // The console is built before the package is.
      external: ['#bundled/*', './build-console.js'],
      plugins: [placesOf(dist, inDist(dirname(server)))],
    }),
  ]);
  await writeFile(join(dist, 'bundled', 'LICENSES-threads.txt'), await licencesOf(home, Object.keys(metafile.inputs)));
}

/** Files that code finds beside itself (`import.meta.url`) are found from the folder that it is bundled into. */
function placesOf(dist: string, folder: string): Plugin {
  return {
    name: 'places',
    setup: ({ onLoad }) => {
      onLoad({ filter: /\.js$/ }, async ({ path }) => {
        const code = path.startsWith(`${dist}/`) ? await readFile(path, 'utf8') : '';
        if (!code.includes('import.meta.url')) return undefined;
        const place = `new URL('${relative(folder, path)}', import.meta.url).href`;
        return { contents: code.replaceAll('import.meta.url', place) };
      });
    },
  };
}
