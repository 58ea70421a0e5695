// `npm run test:packages`: the package installed by npm into empty folders, as strangers do it, and run with each Node that this
// machine has: the project's own 24, and the machine's. It needs npm's cache or the registry, and takes minutes.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folderWith, installInto, mustRun, pack, run, writeFiles } from '#test/support/packages/fresh-app.ts';
import { cdkApp, checkCommandLine, checkSynthesized, consumed, consumers } from '#test/support/packages/strangers.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

const home = fileURLToPath(new URL('../..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'pillarbox-installed-'));
const machines = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((place) => join(place, 'node'))
  .find((file) => !file.startsWith(home) && existsSync(file));
const nodes = [process.execPath, ...(machines === undefined ? [] : [machines])];
const cdkInit = { ...cdkApp, 'bin/app.ts': (cdkApp['bin/app.ts'] ?? '').replace('mail-stack.js', 'mail-stack') };
let tarball = '';

before(async () => {
  tarball = await pack(work);
});
after(() => rmSync(work, { recursive: true, force: true }));

/** The folder of all that comes along, in MB. */
const mostMegabytes = 60;
/** Of the processor, until mail is taken and the page is there; a free machine needs little more time than that. The aim is two. */
const mostStartSeconds = 1;
const ticksPerSecond = 100;

describe('in an empty folder', () => {
  let app = '';
  before(async () => {
    app = folderWith({ ...consumers, 'package.json': '{ "name": "consumer", "version": "1.0.0" }' }, work);
    await installInto(app, [tarball, 'standardwebhooks@1.1.1']);
  });

  test('npm brings no compiler, no bundler and no CDK', () => {
    for (const name of [
      'aws-cdk-lib',
      'constructs',
      'esbuild',
      '@biomejs/biome',
      'typescript',
      'fauxqs',
      'selfsigned',
      '@aws-sdk',
      `node-${process.platform}-${process.arch}`,
    ]) {
      assert.equal(existsSync(join(app, 'node_modules', name)), false, name);
    }
  });

  test(`with all that it depends on it takes at most ${mostMegabytes} MB of the disk`, async (t) => {
    const megabytes = Number.parseInt(await mustRun(app, ['du', '-sm', 'node_modules']), 10);
    t.diagnostic(`${megabytes} MB`);
    assert.ok(megabytes <= mostMegabytes, `${megabytes} MB`);
  });

  test(`the server starts with less than ${mostStartSeconds} s of the processor`, async (t) => {
    const starts: number[] = [];
    while (starts.length < 3) starts.push(await startSeconds(app));
    t.diagnostic(`${starts.join(', ')} s`);
    assert.ok(Math.min(...starts) < mostStartSeconds, starts.join(', '));
  });

  for (const node of nodes) {
    test(`consumers run as ESM and as CommonJS, without a warning: ${node}`, async () => {
      for (const file of ['consume.mjs', 'consume.cjs']) assert.equal(await mustRun(app, [node, file]), consumed);
      const code = `process.on('warning', ({ message }) => { if (/require/.test(message)) throw new Error(message); });
        require('pillarbox'); require('pillarbox/package.json');`;
      await mustRun(app, [node, '-e', code]);
    });

    if (isNew(node)) {
      test(`pillarbox starts the server, sends and lists: ${node}`, () => checkCommandLine(app, node));
    } else {
      test(`pillarbox says which Node it needs: ${node}`, async () => {
        const { code, err } = await run(app, [node, 'node_modules/.bin/pillarbox', '--smtp', '0']);
        assert.deepEqual(
          [code, err.replace(/v\d+\.\d+\.\d+/, 'V')],
          [
            1,
            'pillarbox: Node 24 or later is needed, and this is V. Into this project: npm install --save-dev node@24\n',
          ],
        );
      });
    }
  }

  test('what the reference library of Standard Webhooks signs is proven', async () => {
    writeFiles(app, {
      'sign.cjs': `const { Webhook } = require('standardwebhooks');
        const { verifyWebhook } = require('pillarbox');
        const secret = 'whsec_' + Buffer.alloc(32, 7).toString('base64');
        const at = new Date();
        const body = '{"text":"Grüße"}';
        const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(Math.floor(at / 1000)) };
        headers['webhook-signature'] = new Webhook(secret).sign('msg_1', at, body);
        console.log(verifyWebhook({ headers, body }, { secret }).payload.text);`,
    });
    assert.equal(await mustRun(app, [process.execPath, 'sign.cjs']), 'Grüße\n');
  });
});

describe('in the app that cdk init makes', () => {
  let app = '';
  before(async () => {
    app = folderWith({}, work);
    const cdk = join(home, 'node_modules/.bin/cdk');
    await mustRun(app, [process.execPath, cdk, 'init', 'app', '--language', 'typescript', '--generate-only']);
    const manifest = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
    const { typescript, tsx, '@types/node': types } = manifest.devDependencies;
    manifest.devDependencies = { typescript, tsx, '@types/node': types }; // without jest, which is not asked here
    const tsconfig = readFileSync(join(app, 'tsconfig.json'), 'utf8').replace('"jest",', '');
    rmSync(join(app, 'test'), { recursive: true });
    for (const folder of ['bin', 'lib']) rmSync(join(app, folder), { recursive: true });
    writeFiles(app, { ...cdkInit, 'package.json': JSON.stringify(manifest), 'tsconfig.json': tsconfig });
    await installInto(app, [tarball]);
  });

  for (const node of nodes) {
    test(`it compiles, also with the types of all libraries checked, and synthesizes by tsx: ${node}`, async () => {
      for (const more of [[], ['--skipLibCheck', 'false']]) {
        await mustRun(app, [node, 'node_modules/typescript/bin/tsc', ...more]);
      }
      await mustRun(app, [node, 'node_modules/tsx/dist/cli.mjs', 'bin/app.ts']);
      checkSynthesized(app);
    });

    test(`compiled to CommonJS it synthesizes: ${node}`, async () => {
      const options = ['--noEmit', 'false', '--outDir', 'out', '--isolatedModules', 'false'];
      await mustRun(app, [node, 'node_modules/typescript/bin/tsc', ...options]);
      await mustRun(app, [node, 'out/bin/app.js']);
      rmSync(join(app, 'out'), { recursive: true });
      checkSynthesized(app);
    });
  }
});

function isNew(node: string): boolean {
  const major = /^v(\d+)/.exec(execFileSync(node, ['--version'], { encoding: 'utf8' }))?.[1];
  return Number(major) >= 24;
}

/** Of the processor (all threads, user and system), from the start of the process until the server is up. */
async function startSeconds(folder: string): Promise<number> {
  const running = join(folder, '.pillarbox/running.json');
  const server = spawn(process.execPath, ['node_modules/.bin/pillarbox', '--smtp', '0', '--http', '0'], {
    cwd: folder,
    stdio: 'ignore',
  });
  try {
    await eventually('the server is up', () => existsSync(running));
    // Fields 14 and 15: utime and stime (proc_pid_stat(5)).
    const [, user = '', system = ''] =
      /\) (?:\S+ ){11}(\d+) (\d+)/.exec(readFileSync(`/proc/${server.pid}/stat`, 'utf8')) ?? [];
    return (Number(user) + Number(system)) / ticksPerSecond;
  } finally {
    server.kill('SIGTERM');
    await once(server, 'exit');
    rmSync(join(folder, '.pillarbox'), { recursive: true });
  }
}
