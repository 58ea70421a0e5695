#!/usr/bin/env node
// Starts the command line with Node 24; `pillarbox` alone, or with options, and `pillarbox start` are the server itself. In the repository it runs the source, and installs
// what it needs on first use; installed from a package it runs what was built. Plain JavaScript without dependencies, since
// it runs on the machine's own Node (20 or later) before anything is there.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const installer = join(home, 'local', 'set-up.js');
const isRepository = existsSync(installer);

if (isRepository) {
  const setUp = spawnSync(process.execPath, [installer], { stdio: ['ignore', 2, 2] });
  if (setUp.status !== 0) process.exit(setUp.status ?? 1);
}
const node24 = isRepository ? join(home, 'node_modules', '.bin', 'node') : installedNode();
if (node24 === null) {
  process.stderr.write(`pillarbox: Node 24 is needed, and this is ${process.version}: install it, then start again\n`);
  process.exit(1);
}

const [first, ...rest] = process.argv.slice(2);
const isServer =
  first === undefined || first === 'start' || (first.startsWith('-') && !/^(?:-h|--help|-v|--version)$/.test(first));
const program = isServer ? 'local/main' : 'cli/main';
const args = first === 'start' ? rest : process.argv.slice(2);
const file = isRepository ? join(home, `${program}.ts`) : join(home, 'dist', `${program}.js`);
// The server ends with this process, however that ends.
const env = isServer ? { ...process.env, PILLARBOX_STARTED_BY: String(process.pid) } : process.env;
const command = spawn(node24, [file, ...args], { stdio: 'inherit', env });
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => command.kill(signal));
process.on('SIGINT', () => {}); // the terminal sends it to both; the command decides
command.on('error', (problem) => {
  process.stderr.write(`pillarbox: ${problem.message}\n`);
  process.exit(1);
});
command.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));

/** This Node if it is new enough, or the one that npm installed beside the package; null if there is neither. */
function installedNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  try {
    const { resolve } = createRequire(import.meta.url);
    return join(dirname(resolve(`node-${process.platform}-${process.arch}/package.json`)), 'bin', 'node');
  } catch {
    return null;
  }
}
