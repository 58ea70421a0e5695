// `npm run test:packages`: What ships: small, quick to import, complete without node_modules; and sandboxes that survive what runs in them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type Bundle, buildBundles } from '#local/build-bundles.ts';
import { createSandbox } from '#local/emulator/sandbox.ts';
import { queueNames, queueUrlVariable, stageNames } from '#pipeline/contract/stages.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const maxBytes = 2 * 1_048_576;
/** Twice what the largest takes on a machine of our own: processor time grows too where others use the caches. */
const maxImportMs = 400;
let folder = '';
let bundles: readonly Bundle[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pillarbox-bundles-'));
  bundles = await buildBundles(folder);
});

after(() => rm(folder, { recursive: true, force: true }));

test('each function, the container and what a deploy runs have at most 2 MiB', (t) => {
  const byFolder = Map.groupBy(bundles, ({ file }) => dirname(file));
  assert.deepEqual([...byFolder.keys()].map((path) => path.slice(folder.length + 1)).sort(), [
    'compare-config',
    'container',
    ...stageNames.map((name) => `functions/${name}`).sort(),
  ]);
  for (const [path, files] of byFolder) {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    t.diagnostic(`${path.slice(folder.length + 1)}: ${(bytes / 1024).toFixed(0)} KiB`);
    assert.ok(bytes <= maxBytes, `${path}: ${bytes} bytes`);
  }
});

for (const name of ['compare-config', ...stageNames.map((stage) => `functions/${stage}`)]) {
  test(`the bundle of ${name} is imported in at most ${maxImportMs} ms of processor time, without node_modules`, async (t) => {
    const url = pathToFileURL(join(folder, name, 'index.mjs')).href;
    const script = `const before = process.cpuUsage(); const { handler } = await import(${JSON.stringify(url)});
      const { user, system } = process.cpuUsage(before); console.log(typeof handler, (user + system) / 1000); process.exit();`;
    const env = {
      AWS_REGION: 'us-east-1',
      PILLARBOX_BUCKET: 'bucket',
      ...Object.fromEntries(
        queueNames.map((queue) => [queueUrlVariable(queue), `https://sqs.us-east-1.amazonaws.com/1/${queue}`]),
      ),
    };
    const times: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      const args = ['--input-type=module', '-e', script];
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env });
      const [type, ms] = stdout.trim().split(' ');
      assert.equal(type, 'function');
      times.push(Number(ms));
    }
    t.diagnostic(`${name}: ${Math.min(...times).toFixed(0)} ms`);
    assert.ok(Math.min(...times) <= maxImportMs, `${times}`);
  });
}

test('a function without its variables does not start, and says which are missing', async () => {
  const url = pathToFileURL(join(folder, 'functions', 'parse', 'index.mjs')).href;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', `await import('${url}')`], {
    env: {},
  });
  await assert.rejects(run, /PILLARBOX_BUCKET: is not set/);
});

async function sandboxOf(source: string, timeoutSeconds = 60) {
  const file = join(await mkdtemp(join(folder, 'sandbox-')), 'index.mjs');
  await writeFile(file, source);
  const lines: string[] = [];
  const onLine = (line: string) => lines.push(line);
  const environment = { NAME: 'value' };
  return { lines, sandbox: createSandbox({ file, environment, timeoutSeconds, memoryMiB: 64, onLine }) };
}

const failing = (expression: string) =>
  `export const handler = async (event) => ({ batchItemFailures: [{ itemIdentifier: String(${expression}) }] });`;

test('a sandbox has its own environment and none of ours', async () => {
  const { sandbox } = await sandboxOf(failing('JSON.stringify(process.env)'));
  const answer = await sandbox.invoke({});
  assert.deepEqual(JSON.parse(answer.batchItemFailures[0]?.itemIdentifier ?? ''), { NAME: 'value' });
  await sandbox.close();
});

test('what a function throws rejects, and the next call is answered by the same sandbox', async () => {
  const source = `let n = 0; export const handler = async () => {
    n += 1; if (n === 1) throw new Error('first'); console.log('said', n); return { batchItemFailures: [] }; };`;
  const { sandbox, lines } = await sandboxOf(source);
  await assert.rejects(sandbox.invoke({}), /first/);
  assert.deepEqual(await sandbox.invoke({}), { batchItemFailures: [] });
  await sandbox.close();
  assert.deepEqual(lines, ['said 2']);
});

test('a sandbox that hangs or dies is replaced', async () => {
  const source = `let n = 0; export const handler = async ({ how }) => {
    n += 1; if (how === 'hang') for (;;); if (how === 'die') process.exit(3);
    return { batchItemFailures: [{ itemIdentifier: String(n) }] }; };`;
  const { sandbox } = await sandboxOf(source, 1);
  await assert.rejects(sandbox.invoke({ how: 'hang' }), /did not answer within 1 s/);
  // A new one may need more than a second to start on a busy machine: it is replaced like one that hangs.
  const answer = await eventually('a new one answers', () => sandbox.invoke({}).catch(() => null));
  assert.equal(answer.batchItemFailures[0]?.itemIdentifier, '1');
  await sandbox.close();
  const { sandbox: other } = await sandboxOf(source);
  await assert.rejects(other.invoke({ how: 'die' }), /exit code 3/);
  assert.equal((await other.invoke({})).batchItemFailures[0]?.itemIdentifier, '1');
  await other.close();
});
