// The package as `npm pack` makes it, and apps of strangers that it is installed into: linked in a moment, or by npm itself.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const home = fileURLToPath(new URL('../../..', import.meta.url));

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a program to its end in a folder, without the repository's own programs on the PATH. */
export async function run(folder: string, command: readonly string[]): Promise<Ran> {
  const [file = '', ...args] = command;
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((place) => !place.startsWith(home));
  const env = { PATH: path.join(delimiter), HOME: process.env['HOME'] ?? folder, AWS_REGION: 'eu-central-1' };
  try {
    const { stdout, stderr } = await promisify(execFile)(file, args, { cwd: folder, env });
    return { code: 0, out: stdout, err: stderr };
  } catch (thrown: any) {
    return { code: thrown.code, out: thrown.stdout, err: thrown.stderr };
  }
}

/** The same; it must succeed. Answers what it printed. */
export async function mustRun(folder: string, command: readonly string[]): Promise<string> {
  const { code, out, err } = await run(folder, command);
  assert.equal(code, 0, `${command.join(' ')}\n${out}\n${err}`);
  return out;
}

/** Builds and packs the repository as it is; answers the path of the tarball, in `folder`. `bundles`: those that were built before. */
export async function pack(folder: string, bundles?: string): Promise<string> {
  const options = { cwd: home, maxBuffer: 16_777_216 };
  const build = ['local/build-package.ts', '--bundles', bundles ?? ''];
  if (bundles !== undefined) await promisify(execFile)(process.execPath, build, options);
  const how = bundles === undefined ? [] : ['--ignore-scripts'];
  const { stdout } = await promisify(execFile)(
    'npm',
    ['pack', '--json', ...how, '--pack-destination', folder],
    options,
  );
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
  return join(folder, filename);
}

/** An empty folder outside of the repository, with files in it. */
export function folderWith(files: Readonly<Record<string, string>>, parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'pillarbox-app-'));
  writeFiles(folder, files);
  return folder;
}

/** Writes files below a folder. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** Installs the tarball as npm would, with links to what is installed here: its own dependencies, and `beside` those of the app. */
export async function linkInto(folder: string, tarball: string, beside: readonly string[] = []): Promise<void> {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  await mustRun(modules, ['tar', 'xzf', tarball]);
  renameSync(join(modules, 'package'), join(modules, 'pillarbox'));
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(modules, 'pillarbox/package.json'), 'utf8'),
  );
  for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...beside]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    if (existsSync(join(home, 'node_modules', name)))
      symlinkSync(join(home, 'node_modules', name), join(modules, name));
  }
  symlinkSync('../pillarbox/cli/pillarbox.js', join(modules, '.bin/pillarbox'));
}

/** Installs by npm, from its cache or the registry. */
export async function installInto(folder: string, packages: readonly string[]): Promise<void> {
  await mustRun(folder, [
    'npm',
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    ...packages,
  ]);
}
