// In `npm run test:packages`: the package that `npm pack` makes, in apps of strangers. Its dependencies are linked here; `npm run test:packages` installs them,
// and synthesizes apps that hold the service.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { threads } from '#local/bundle-start.ts';
import { blocksOf } from '#test/docs/read-docs.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';
import { folderWith, linkInto, mustRun, pack, run } from '#test/support/packages/fresh-app.ts';
import { checkCommandLine, consumed, consumers } from '#test/support/packages/strangers.ts';
import { testingExamples } from '#test/support/packages/testing-examples.ts';
import { peerOptions } from '#test/support/peers/peers.ts';

const tsc = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url));
const examples = examplesOf('docs/consume.md');
const testing = testingExamples();
const work = mkdtempSync(join(tmpdir(), 'pillarbox-package-'));
let app = '';

describe('the package', peerOptions('npm', 'tar'), () => {
  before(async () => {
    const tarball = await pack(work, await sharedBundles());
    assert.ok(statSync(tarball).size < 3_670_016, 'at most 3.5 MiB');
    app = folderWith({ ...consumers, ...examples, ...testing, 'package.json': '{ "type": "module" }' }, work);
    await linkInto(app, tarball, ['@types/node']);
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  test('it holds JavaScript, types and what ships, with a licence, and nothing of tests or of the repository’s tools', () => {
    const files = filesOf(join(app, 'node_modules/pillarbox'));
    const places = new Set(files.map((file) => file.replace(/^((?:dist|docs)\/[^/]+|[^/]+).*$/, '$1')));
    const rooms = [
      '.build',
      'bundled',
      'cdk',
      'cli',
      'console',
      'consume',
      'container',
      'functions',
      'local',
      'mail',
      'ops',
      'package.json',
      'pipeline',
      'testing',
    ];
    const top = ['LICENSE', 'README.md', 'cli', 'docs/schemas', 'package.json'];
    assert.deepEqual([...places].sort(), [...rooms.map((name) => `dist/${name}`), ...top].sort());
    assert.deepEqual(
      files.filter((file) => /(?<!\.d)\.ts$|\.map$|^dist\/local\/(?:emulator|build-)/.test(file)),
      [],
    );
  });

  test('all that it imports is in it or in its dependencies, and those are no tools', () => {
    const root = join(app, 'node_modules/pillarbox');
    const { dependencies, optionalDependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    );
    const named = Object.keys({ ...dependencies, ...optionalDependencies });
    assert.deepEqual(
      named.filter((name) => /esbuild|biome|cdk|constructs|fauxqs|typescript|selfsigned|aws-sdk|^node-/.test(name)),
      [],
    );
    const optional = { optional: true };
    assert.deepEqual(peerDependenciesMeta, {
      '@aws-sdk/client-s3': optional,
      'aws-cdk-lib': optional,
      constructs: optional,
    });
    const missing = filesOf(join(root, 'dist'))
      .filter((file) => /(?:\.js|\.d\.ts)$/.test(file))
      .flatMap((file) => importsOf(join(root, 'dist', file)).map((wanted) => ({ file, wanted })))
      .filter(({ file, wanted }) => {
        const inside = wanted.startsWith('#')
          ? wanted.slice(1)
          : wanted.startsWith('.')
            ? join(dirname(file), wanted)
            : null;
        if (inside === null) {
          const [name = ''] = /^(?:@[^/]+\/)?[^/]+/.exec(wanted) ?? [];
          // Bundled code asks for what exists in certain worlds only, and does without.
          const isPeer = name in peerDependenciesMeta && /^(?:cdk|consume)\//.test(file);
          return !wanted.startsWith('node:') && !isPeer && !named.includes(name) && !file.startsWith('bundled/');
        }
        return !existsSync(join(root, 'dist', inside.replace(/\.ts$/, file.endsWith('.d.ts') ? '.d.ts' : '.js')));
      });
    assert.deepEqual(
      missing.sort((a, b) => a.file.localeCompare(b.file)),
      [
        { file: 'local/console/console-files.js', wanted: './build-console.js' },
        { file: 'local/main.js', wanted: '#local/emulator/start-emulator.ts' },
      ],
    );
  });

  for (const file of ['consume.mjs', 'consume.cjs']) {
    test(`a consumer reads mail and proves a webhook: ${file}`, async () => {
      assert.equal(await mustRun(app, [process.execPath, '--throw-deprecation', file]), consumed);
    });
  }

  test('readMail without the AWS SDK says what to install', async () => {
    const event = `{ source: 'aws.s3', 'detail-type': 'Object Created',
      detail: { bucket: { name: 'b' }, object: { key: 'inbox/a.example/ann/1.json' } } }`;
    const code = `import { readMail } from 'pillarbox'; await readMail(${event}).catch(({ message }) => console.log(message));`;
    const said = await mustRun(app, [process.execPath, '--input-type=module', '-e', code]);
    assert.match(said, /^readMail needs @aws-sdk\/client-s3: install it/);
  });

  test('a thread that the start waits for is one file: it loads nothing else of ours, and no library', () => {
    for (const file of threads) {
      const code = readFileSync(join(app, 'node_modules/pillarbox/dist', file), 'utf8');
      const imported = [...code.matchAll(/\b(?:from|import) ?\(?"([#@.\w/:-]+)"/g)].map(([, name]) => name ?? '');
      assert.deepEqual(
        imported.filter((name) => !isBuiltin(name)),
        [],
        file,
      );
    }
  });

  test('what it brings along asks AWS, and comes with its licences, none of them a copyleft', async () => {
    const { code, err } = await run(app, [process.execPath, 'node_modules/.bin/pillarbox', 'list', '--stack', 'none']);
    assert.equal(code, 1);
    assert.match(err, /no AWS credentials were found/);
    const [brought = '', inThreads = ''] = ['', '-threads'].map((of) =>
      readFileSync(join(app, `node_modules/pillarbox/dist/bundled/LICENSES${of}.txt`), 'utf8'),
    );
    const licences = `${brought}\n${inThreads}`;
    assert.match(licences, /^@modelcontextprotocol\/sdk \S+ \(MIT\)$/m);
    assert.match(licences, /^@aws-sdk\/client-s3 \S+ \(Apache-2\.0\)$[\s\S]*Apache License/m);
    const kinds = new Set([...licences.matchAll(/^(?:@[\w.-]+\/)?[\w.-]+ \d\S* \((.*)\)$/gm)].map(([, kind]) => kind));
    assert.deepEqual([...kinds].sort(), ['Apache-2.0', 'BSD-3-Clause', 'ISC', 'MIT']);
  });

  test('the examples of docs/consume.md, and the test of docs/testing.md, compile against its types', async () => {
    const nodenext = ['--module', 'nodenext', '--target', 'es2022', '--strict', '--types', 'node'];
    await mustRun(app, [
      process.execPath,
      tsc,
      ...nodenext,
      '--noEmit',
      ...Object.keys(examples),
      'test/sign-up.test.ts',
    ]);
  });

  test('the test of docs/testing.md passes', async () => {
    const out = await mustRun(app, [process.execPath, '--test', '--test-reporter=tap', 'test/sign-up.test.ts']);
    assert.match(out, /^# tests 1$[\s\S]*^# pass 1$/m);
  });

  test('pillarbox starts the server, sends and lists', () => checkCommandLine(app, process.execPath));
});

/** The examples of a page that import the package, as files; what they leave to the reader is declared. */
function examplesOf(page: string): Readonly<Record<string, string>> {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
  const readers = blocksOf(text)
    .map(({ lines }) => lines.join('\n'))
    .filter((code) => code.includes("from 'pillarbox';"));
  assert.equal(readers.length, 4);
  const declared = `declare function openTicket(ticket: object): Promise<void>;
    declare function isDone(id: string): Promise<boolean>;
    declare function setDone(id: string): Promise<void>;
    declare module 'aws-lambda' { export type SQSEvent = { Records: { messageId: string }[] } }`;
  const files = readers.map((code, n) => [`examples/${n}.ts`, code]);
  return { ...Object.fromEntries(files), 'examples/declared.d.ts': declared };
}

function filesOf(folder: string): readonly string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return files.map((file) => join(file.parentPath, file.name).slice(folder.length + 1));
}

function importsOf(file: string): readonly string[] {
  const code = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '');
  const found = code.matchAll(/\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm);
  return [...found].map(([, from, bare, later]) => from ?? bare ?? later ?? '');
}
