// First use: what is installed is what package-lock.json says, by version and hash; the lock file stays as it is. npm is a
// script here that leaves what it is told to; the real lock file is judged as the real npm would.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';

const home = fileURLToPath(new URL('../..', import.meta.url));
const lock: { readonly packages: Readonly<Record<string, LockEntry>> } = JSON.parse(
  readFileSync(join(home, 'package-lock.json'), 'utf8'),
);
const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));

type LockEntry = {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly optional?: boolean;
  readonly link?: boolean;
  readonly inBundle?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

test('the lock file names all that its packages ask for, so that npm ci takes it and npm install adds nothing', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) =>
        foldersAbove(path).every((folder) => lock.packages[`${folder}node_modules/${name}`] === undefined),
      )
      .map((name) => `${path} → ${name}`),
  );
  assert.deepEqual(missing, []);
});

test('the lock file has a hash of every package, and names no registry but the public one', () => {
  const packages = Object.entries(lock.packages).filter(([path, { link }]) => /^node_modules\//.test(path) && !link);
  assert.deepEqual(
    Object.keys(lock.packages).filter((path) => !/^node_modules\//.test(path)),
    ['', 'local/node-24'],
  );
  const unpinned = packages.filter(([, entry]) => !entry.inBundle && !entry.integrity?.startsWith('sha512-'));
  assert.deepEqual(unpinned, []);
  const elsewhere = packages.filter(([, { resolved = '' }]) => !/^(https:\/\/registry\.npmjs\.org\/|$)/.test(resolved));
  assert.deepEqual(elsewhere, []);
});

test('package.json asks for exact versions, and the lock file is of this package.json', () => {
  for (const [path, wanted] of [
    ['', manifest],
    ['local/node-24', JSON.parse(readFileSync(join(home, 'local/node-24/package.json'), 'utf8'))],
  ]) {
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'] as const) {
      assert.deepEqual((lock.packages[path] as any)[kind], wanted[kind]);
      for (const version of Object.values<string>(wanted[kind] ?? {})) assert.match(version, /^\d+\.\d+\.\d+$/);
    }
  }
});

const good = { version: '1.0.0', integrity: 'sha512-good' };
const node = `node_modules/node-${process.platform}-${process.arch}`;
const wanted = {
  '': { name: 'pillarbox' },
  'local/node-24': { version: '0.0.0' },
  'node_modules/node-24': { link: true },
  'node_modules/one': good,
  'node_modules/for-another-platform': { ...good, optional: true },
  [node]: { ...good, optional: true },
};
const whole = { 'node_modules/one': good, [node]: good };

test('the first use is one npm ci that runs no scripts; the next one at most links Node, whatever the dates of the files', async (t) => {
  const project = projectOf(t);
  assert.deepEqual(await project.setUp(), { code: 0, text: project.firstUse });
  assert.match(project.calls(), /^ci --ignore-scripts .*\n$/);
  utimesSync(join(project.folder, 'package-lock.json'), new Date(), new Date(Date.now() + 60_000));
  assert.deepEqual(await project.setUp(), { code: 0, text: '' });
  assert.equal(project.calls().split('\n').length, 2);
  assert.deepEqual(JSON.parse(readFileSync(join(project.folder, 'package-lock.json'), 'utf8')), { packages: wanted });
  rmSync(join(project.folder, 'node_modules', '.bin'), { recursive: true });
  assert.deepEqual(await project.setUp(), { code: 0, text: '' });
  assert.equal(project.calls().split('\n').length, 2);
  assert.equal(
    realpathSync(join(project.folder, 'node_modules', '.bin', 'node')),
    join(project.folder, node, 'bin', 'node'),
  );
});

for (const [title, before] of [
  ['another version', { ...whole, 'node_modules/one': { ...good, version: '2.0.0' } }],
  ['another hash', { ...whole, 'node_modules/one': { ...good, integrity: 'sha512-evil' } }],
  ['a package missing', { [node]: good }],
  ['another Node', { ...whole, [node]: { ...good, version: '0.9.0' } }],
] as const) {
  test(`${title} in node_modules is installed anew; where npm leaves it so, nothing starts`, async (t) => {
    const project = projectOf(t, { before });
    assert.equal((await project.setUp()).code, 0);
    assert.equal(project.calls().split('\n').length, 2);
    const stubborn = projectOf(t, { before, leaves: before });
    const { code, text } = await stubborn.setUp();
    assert.equal(code, 1);
    assert.match(text, /^pillarbox: npm has installed something else than package-lock\.json says: node_modules\//m);
  });
}

test('two first uses at once install once', async (t) => {
  const project = projectOf(t);
  const both = await Promise.all([project.setUp(), project.setUp()]);
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
  );
  assert.equal(project.calls().split('\n').length, 2);
});

test('an installation that was killed does not stand in the way of the next', async (t) => {
  const project = projectOf(t);
  const dead = spawn('true');
  await once(dead, 'exit');
  mkdirSync(join(project.folder, '.build'));
  writeFileSync(join(project.folder, '.build', 'set-up.lock'), String(dead.pid));
  assert.equal((await project.setUp()).code, 0);
  assert.equal(existsSync(join(project.folder, '.build', 'set-up.lock')), false);
});

test('npm that fails is told in one line, and does not stand in the way of the next try', async (t) => {
  const project = projectOf(t, { fails: true });
  const { code, text } = await project.setUp();
  assert.equal(code, 1);
  assert.match(text, /^pillarbox: npm ci failed; see above\. It needs the npm registry once\.$/m);
  assert.doesNotMatch(text, /\n\s+at /);
  assert.equal(existsSync(join(project.folder, '.build', 'set-up.lock')), false);
});

/** A project of one package, with an npm on the PATH that leaves what it is told to. */
function projectOf(
  t: TestContext,
  { before, leaves = whole, fails = false }: { before?: object; leaves?: object; fails?: boolean } = {},
) {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['local', 'bin']) mkdirSync(join(folder, name));
  cpSync(join(home, 'local', 'set-up.js'), join(folder, 'local', 'set-up.js'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }));
  writeFileSync(join(folder, 'leaves.json'), JSON.stringify({ packages: leaves }));
  writeFileSync(
    join(folder, 'bin', 'npm'),
    `#!/bin/sh\necho "$@" >> calls\n${fails ? 'exit 1\n' : ''}rm -rf node_modules; mkdir -p ${node}/bin; touch ${node}/bin/node; cp leaves.json node_modules/.package-lock.json\n`,
  );
  chmodSync(join(folder, 'bin', 'npm'), 0o755);
  if (before !== undefined) {
    mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
    writeFileSync(join(folder, 'node_modules', '.bin', 'node'), '');
    writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: before }));
  }
  return {
    folder,
    firstUse: 'pillarbox: first use here, installing what it needs (npm ci, about half a minute) …\n',
    calls: () => readFileSync(join(folder, 'calls'), 'utf8'),
    setUp: async () => {
      const child = spawn(process.execPath, ['local/set-up.js'], {
        cwd: folder,
        env: { ...process.env, PATH: `${join(folder, 'bin')}:/usr/bin:/bin` },
      });
      let text = '';
      child.stderr.on('data', (piece) => {
        text += piece;
      });
      const [code] = await once(child, 'close');
      return { code, text };
    },
  };
}

/** Where Node looks for what a package needs: in itself, and in every package around it. */
function foldersAbove(path: string): readonly string[] {
  const parts = path === '' ? [] : path.split('/node_modules/');
  return parts.map((_, n) => `${parts.slice(0, n + 1).join('/node_modules/')}/`).concat('');
}
