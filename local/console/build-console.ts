// Bundles the console (ops/console/app) with all that it is made of, so that a browser loads nothing from elsewhere: script and
// style under names that change with their content, the page that names them, and the licences of what is in the bundle.
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { readClientSupport } from './client-support.ts';
import { clientsFile } from './clients-file.ts';

const home = fileURLToPath(new URL('../../', import.meta.url));
const source = join(home, 'ops/console');
const entry = 'ops/console/app/main.tsx';

/** Writes everything into `folder`, which exists. Throws with esbuild's errors. */
export async function buildConsole(folder: string): Promise<void> {
  const { metafile } = await build({
    absWorkingDir: home,
    entryPoints: [entry],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfigRaw: {},
    minify: true,
    metafile: true,
    legalComments: 'none',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
  });
  const [script, style] = entryFiles(metafile);
  const page = await readFile(join(source, 'index.html'), 'utf8');
  const filled = page.replace('{{icon}}', 'icon.svg').replace('{{script}}', script).replace('{{style}}', style);
  await Promise.all([
    writeFile(join(folder, 'index.html'), filled),
    copyFile(join(source, 'icon.svg'), join(folder, 'icon.svg')),
    writeFile(join(folder, clientsFile), JSON.stringify(await readClientSupport())),
    writeFile(join(folder, 'licences.txt'), await licencesOf(metafile)),
  ]);
}

function entryFiles({ outputs }: Metafile): readonly [script: string, style: string] {
  const found = Object.entries(outputs).find(([, output]) => output.entryPoint === entry);
  const style = found?.[1].cssBundle;
  if (found === undefined || style === undefined)
    throw new Error('the console was bundled without its script or its style');
  return [basename(found[0]), basename(style)];
}

/** MIT and ISC want their text in every copy. */
async function licencesOf({ inputs }: Metafile): Promise<string> {
  const inBundle = Object.keys(inputs).flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  const names = [...new Set([...inBundle, 'caniemail'])].sort();
  const texts = names.map(async (name) => {
    return `${name}\n\n${await readFile(join(home, 'node_modules', name, 'LICENSE'), 'utf8')}`;
  });
  return (await Promise.all(texts)).join('\n\n');
}
