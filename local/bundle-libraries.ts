// The libraries that the package brings along in itself, so that installing it does not bring their dependencies: of the AWS SDK, a few
// of its commands instead of a hundred packages. Which ones: what the built program imports and the package does not depend on.
import { glob, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { requireInEsm } from './build-bundles.ts';

/** Names that are imported of a library; null: all that it exports. */
type Wanted = Map<string, Set<string> | null>;

/** What TypeScript writes: statements begin their line. A specifier of a package begins with a letter or @. */
const statement = /^((?:import|export)\b([^;'"]*?)\bfrom )'([a-z@][\w@/.-]*)'/gm;
const dynamic = /(\bimport\()'([a-z@][\w@/.-]*)'(?=\))/g;
const folder = 'bundled';

/** What `imports` of the built package.json says of them. */
export const bundledImports = { [`#${folder}/*`]: `./${folder}/*` } as const;

/**
 * Bundles into `dist/bundled/` what the files of `dist` import of other libraries than `installed`, with the licences, and has the files
 * import it from there. Files of the folders `consumers` stay as they are: an app has their libraries itself.
 */
export async function bundleLibraries({
  home,
  dist,
  installed,
  consumers,
}: {
  readonly home: string;
  readonly dist: string;
  readonly installed: readonly string[];
  readonly consumers: readonly string[];
}): Promise<void> {
  const isOurs = (specifier: string): boolean =>
    !specifier.startsWith('node:') && !installed.includes(packageOf(specifier));
  const wanted: Wanted = new Map();
  for await (const file of glob('*/**/*.js', { cwd: dist, exclude: [...consumers, '.build', 'console', folder] })) {
    const path = join(dist, file);
    const code = await readFile(path, 'utf8');
    const replaced = code
      .replace(statement, (whole, before: string, names: string, specifier: string) => {
        if (!isOurs(specifier)) return whole;
        want(wanted, specifier, names);
        return `${before}'#${folder}/${fileOf(specifier)}'`;
      })
      .replace(dynamic, (whole, before: string, specifier: string) => {
        if (!isOurs(specifier)) return whole;
        want(wanted, specifier, '*');
        return `${before}'#${folder}/${fileOf(specifier)}'`;
      });
    if (replaced !== code) await writeFile(path, replaced);
  }
  if (wanted.size > 0) await bundle(wanted, { home, dist, installed });
}

function want(wanted: Wanted, specifier: string, clause: string): void {
  const named = /^\{([^}]*)\}$/s.exec(clause.trim())?.[1];
  const known = wanted.get(specifier);
  if (named === undefined || known === null) {
    wanted.set(specifier, null);
    return;
  }
  const names = named.split(',').map((name) => name.trim().replace(/\s+as\s+.*$/, ''));
  wanted.set(specifier, new Set([...(known ?? []), ...names.filter((name) => name !== '')]));
}

async function bundle(
  wanted: Wanted,
  { home, dist, installed }: { readonly home: string; readonly dist: string; readonly installed: readonly string[] },
): Promise<void> {
  const { metafile } = await build({
    entryPoints: [...wanted.keys()].map((specifier) => ({ in: `wanted:${specifier}`, out: fileOf(specifier, '') })),
    outdir: join(dist, folder),
    plugins: [entriesOf(wanted, home)],
    external: [...installed],
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    minify: true,
    metafile: true,
    mainFields: ['module', 'main'],
    absWorkingDir: home,
    legalComments: 'none',
    banner: { js: requireInEsm },
    chunkNames: 'parts/[hash]',
  });
  await writeFile(join(dist, folder, 'LICENSES.txt'), await licencesOf(home, Object.keys(metafile.inputs)));
}

/** An entry exports what is wanted of a library, so that the rest is left out. */
function entriesOf(wanted: Wanted, home: string): Plugin {
  return {
    name: 'what-is-wanted',
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: /^wanted:/ }, ({ path }) => ({ path: path.slice('wanted:'.length), namespace: 'wanted' }));
      onLoad({ filter: /^/, namespace: 'wanted' }, ({ path }) => {
        const names = wanted.get(path);
        const what = names == null ? '*' : `{ ${[...names].join(', ')} }`;
        return { contents: `export ${what} from '${path}';`, resolveDir: home };
      });
    },
  };
}

/** The licences of the packages that these files are of, as a text. */
export async function licencesOf(home: string, files: readonly string[]): Promise<string> {
  const packages = new Set(files.flatMap((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []));
  const texts = await Promise.all(
    [...packages].sort().map(async (path) => {
      const { name, version, license } = JSON.parse(await readFile(join(home, path, 'package.json'), 'utf8'));
      const files: string[] = [];
      for await (const file of glob('{LICENSE,LICENCE,NOTICE}*', { cwd: join(home, path) })) files.push(file);
      const text = await Promise.all(files.sort().map((file) => readFile(join(home, path, file), 'utf8')));
      return [`${name} ${version} (${license})`, ...text.map((one) => one.trim())].join('\n\n');
    }),
  );
  return `${texts.join('\n\n----\n\n')}\n`;
}

function packageOf(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

function fileOf(specifier: string, ending = '.js'): string {
  return `${specifier.replace(/\.js$/, '')}${ending}`;
}
