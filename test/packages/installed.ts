// `npm run test:packages`: the package installed by npm into empty folders, as strangers do it, and run with each Node that this
// machine has: the project's own 24, and the machine's. It needs npm's cache or the registry, and takes minutes.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folderWith, installInto, mustRun, pack, writeFiles } from '#test/support/packages/fresh-app.ts';
import { cdkApp, checkCommandLine, checkSynthesized, consumed, consumers } from '#test/support/packages/strangers.ts';

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
    ]) {
      assert.equal(existsSync(join(app, 'node_modules', name)), false, name);
    }
  });

  for (const node of nodes) {
    test(`consumers run as ESM and as CommonJS, without a warning: ${node}`, async () => {
      for (const file of ['consume.mjs', 'consume.cjs']) assert.equal(await mustRun(app, [node, file]), consumed);
      const code = `process.on('warning', ({ message }) => { if (/require/.test(message)) throw new Error(message); });
        require('pillarbox'); require('pillarbox/package.json');`;
      await mustRun(app, [node, '-e', code]);
    });

    test(`pillarbox starts the server, sends and lists: ${node}`, () => checkCommandLine(app, node));
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
