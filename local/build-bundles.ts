// Bundles what ships into `.build/`: a folder for each function (`functions/<stage>/index.mjs`), one for the container
// (`container/main.mjs` beside its Dockerfile), and one for what a deploy runs (`compare-config/index.mjs`). cdk/ deploys these very files; the emulator world runs them.
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { stageNames } from '#pipeline/contract/stages.ts';

const home = dirname(dirname(fileURLToPath(import.meta.url)));

/** The folder that cdk/ takes the bundles from. */
export const bundlesFolder = join(home, '.build');

/** CommonJS in a bundle needs a `require`, which ESM has not. */
export const requireInEsm = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

/** How esbuild bundles what ships, for AWS and for the emulator alike: one ESM file with the SDK in it. */
const bundling = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  minify: true,
  keepNames: false,
  /** Beside what ships, in `.build/maps`: to read a stack trace with, not to be loaded at each cold start. */
  sourcemap: 'external',
  sourcesContent: false,
  mainFields: ['module', 'main'],
  outExtension: { '.js': '.mjs' },
  absWorkingDir: home,
  legalComments: 'none',
  banner: { js: requireInEsm },
} satisfies BuildOptions;

/** One bundled file; `bytes` is its size. */
export type Bundle = { readonly name: string; readonly file: string; readonly bytes: number };

/** Builds everything into `folder`, over what is there. Throws with esbuild's errors. */
export async function buildBundles(folder: string = bundlesFolder): Promise<readonly Bundle[]> {
  const maps = join(folder, 'maps');
  const container = buildInto(join(folder, 'container'), {
    entry: join(home, 'container/main.ts'),
    name: 'main',
    maps,
  });
  const functions = stageNames.map((stage) =>
    buildInto(join(folder, 'functions', stage), {
      entry: join(home, 'functions', stage, 'handler.ts'),
      name: 'index',
      maps,
    }),
  );
  const comparison = buildInto(join(folder, 'compare-config'), {
    entry: join(home, 'cdk/compare-config/handler.ts'),
    name: 'index',
    maps,
  });
  const built = await Promise.all([...functions, container, comparison]);
  await copyFile(join(home, 'container/Dockerfile'), join(folder, 'container/Dockerfile'));
  return built.flat();
}

/** Builds an entry, and beside it the worker of its folder (`<folder>-worker.ts`, in any room of it): it is started by its file's name. */
async function buildInto(
  folder: string,
  { entry, name, maps }: { readonly entry: string; readonly name: string; readonly maps: string },
): Promise<readonly Bundle[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const source = dirname(entry);
  const isWorker = (file: string) => basename(file) === `${basename(source)}-worker.ts`;
  const workers = (await readdir(source, { recursive: true })).filter(isWorker);
  const entryPoints = [
    { in: entry, out: name },
    ...workers.map((file) => ({ in: join(source, file), out: basename(file, '.ts') })),
  ];
  await build({ ...bundling, plugins: slimming, entryPoints, outdir: folder });
  await moveMaps(folder, maps);
  const files = (await readdir(folder)).filter((file) => file.endsWith('.mjs')).sort();
  return Promise.all(files.map((file) => describe(folder, file)));
}

/** `maps/<folder>-<file>.map` beside the folders that ship. */
async function moveMaps(folder: string, maps: string): Promise<void> {
  await mkdir(maps, { recursive: true });
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.map'))) {
    await rename(join(folder, file), join(maps, `${basename(folder)}-${file}`));
  }
}

/**
 * What comes along without being used: zod's error texts in all languages, copies of one version of iconv-lite and libmime
 * below several packages (tables of half a megabyte), and the text made from HTML, which parse has switched off.
 */
const slimming: Plugin[] = [
  {
    // mailauth decodes no text: it folds header fields. libmime takes what cannot be decoded as UTF-8.
    name: 'no-charsets-to-authenticate',
    setup: ({ initialOptions, onResolve, onLoad }) => {
      if (!JSON.stringify(initialOptions.entryPoints).includes('/authenticate/handler.ts')) return;
      const contents =
        "const none = () => { throw new Error('no charsets here'); }; exports.decode = exports.convert = none;";
      onResolve({ filter: /^(iconv-lite|encoding-japanese)$/ }, ({ path }) => ({ path, namespace: 'no-charsets' }));
      onLoad({ filter: /^/, namespace: 'no-charsets' }, () => ({ contents }));
    },
  },
  {
    name: 'one-language',
    setup: ({ onLoad }) => {
      onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export {};' }));
    },
  },
  {
    name: 'one-copy',
    setup: ({ onResolve }) => {
      const { resolve } = createRequire(createRequire(import.meta.url).resolve('mailparser'));
      onResolve({ filter: /^iconv-lite$/ }, () => ({ path: resolve('iconv-lite') }));
      onResolve({ filter: /^libmime$/ }, ({ importer }) =>
        /mailparser|mailsplit/.test(importer) ? { path: resolve('libmime') } : null,
      );
    },
  },
  {
    name: 'no-html-to-text',
    setup: ({ onLoad }) => {
      const contents = "exports.htmlToText = () => { throw new Error('html-to-text is not in the bundle'); };";
      onLoad({ filter: /\/html-to-text\/lib\/[^/]+$/ }, () => ({ contents }));
    },
  },
];

async function describe(folder: string, file: string): Promise<Bundle> {
  const path = join(folder, file);
  const { size } = await stat(path);
  return { name: `${basename(folder)}/${file}`, file: path, bytes: size };
}

if (import.meta.main) {
  for (const { name, bytes } of await buildBundles()) {
    process.stdout.write(`${name.padEnd(32)} ${(bytes / 1024).toFixed(0).padStart(6)} KiB\n`);
  }
}
