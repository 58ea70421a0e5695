// Commands to copy begin as the program was started, wherever a text has one.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commands } from '#cli/commands.ts';
import { ownName } from '#ops/own-name.ts';
import { home as repository } from '#test/docs/read-docs.ts';

const global = '/usr/local/lib/node_modules/pillarbox';
const ofProject = '/home/ann/shop/node_modules/pillarbox';

const rows: readonly {
  readonly title: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly home: string;
  readonly directory?: string;
  readonly name: string;
}[] = [
  { title: 'for the whole machine', home: global, name: 'pillarbox' },
  { title: 'in the image', home: '/app/dist', directory: '/data', name: 'pillarbox' },
  {
    title: 'by npx',
    home: '/tmp/_npx/node_modules/pillarbox',
    environment: { npm_command: 'exec', npm_config_user_agent: 'npm/10.9.0 node/v24.1.0 linux x64 workspaces/false' },
    name: 'npx pillarbox',
  },
  {
    title: 'by a script of a project',
    home: ofProject,
    environment: { npm_command: 'run-script' },
    name: 'npx pillarbox',
  },
  { title: 'in a project, by its path', home: ofProject, name: 'npx pillarbox' },
  { title: 'in a folder of a project', home: ofProject, directory: '/home/ann/shop/app', name: 'npx pillarbox' },
  { title: 'of a project, but elsewhere', home: ofProject, directory: '/home/ann/shop2', name: 'pillarbox' },
  {
    title: 'in a project of pnpm, which keeps it elsewhere',
    home: '/home/ann/shop/node_modules/.pnpm/pillarbox@0.1.0/node_modules/pillarbox',
    environment: { npm_config_user_agent: 'pnpm/9.12.0 npm/? node/v24.1.0 linux x64', npm_command: 'exec' },
    name: 'pnpm exec pillarbox',
  },
  {
    title: 'by yarn, which sets no command',
    home: ofProject,
    environment: { npm_config_user_agent: 'yarn/1.22.22 npm/? node/v24.1.0 linux x64' },
    name: 'yarn pillarbox',
  },
  {
    title: 'by bun',
    home: ofProject,
    environment: { npm_config_user_agent: 'bun/1.2.0 npm/? node/v24.1.0' },
    name: 'bunx pillarbox',
  },
];

for (const { title, environment = {}, home, directory = '/home/ann/shop', name } of rows) {
  test(`${title}: ${name}`, () => assert.equal(ownName({ environment, home, directory }), name));
}

test('no text of the command line, the server or ops begins a command by a name of its own', () => {
  const names = commands.map((one) => one.name.split(' ')[0]).join('|');
  const command = new RegExp(`\\bpillarbox (?:${names})\\b(?!:)|\\b(?:npx|exec) pillarbox\\b`);
  const found = globSync('{cli,local,ops}/**/*.ts', { cwd: repository }).flatMap((path) =>
    readFileSync(join(repository, path), 'utf8')
      .split('\n')
      .filter((line) => command.test(line.replace(/^\s*(?:\/\/|\/?\*).*/, '').replace(/ \/\/ .*/, '')))
      .map((line) => `${path}: ${line.trim()}`),
  );
  // The scripts of the shells complete the name that they are sourced for.
  assert.deepEqual(
    found.filter((line) => !line.startsWith('cli/commands/completion.ts: ')),
    [],
  );
});
