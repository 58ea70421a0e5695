#!/usr/bin/env node
// Starts the command line; `pillarbox` alone, or with options, and `pillarbox start` are the server itself. In the repository it installs
// what it needs on first use and runs the source with Node 24; installed from a package it runs what was built, in this very process.
// Plain JavaScript without dependencies, since it runs on the machine's own Node (20 or later) before anything is there.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const installer = join(home, 'local', 'set-up.js');
const isRepository = existsSync(installer);

if (isRepository) {
  const setUp = spawnSync(process.execPath, [installer], { stdio: ['ignore', 2, 2] });
  if (setUp.status !== 0) process.exit(setUp.status ?? 1);
}
const [first, ...rest] = process.argv.slice(2);
const isServer =
  first === undefined || first === 'start' || (first.startsWith('-') && !/^(?:-h|--help|-v|--version)$/.test(first));
const program = isServer ? 'local/main' : 'cli/main';
const args = first === 'start' ? rest : process.argv.slice(2);
const file = pathToFileURL(join(home, isRepository ? `${program}.ts` : `dist/${program}.js`));
if (isRepository) spawnSource();
else if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `pillarbox: Node 24 or later is needed, and this is ${process.version}. Into this project: npm install --save-dev node@24\n`,
  );
  process.exitCode = 1;
} else {
  process.argv.splice(1, process.argv.length, fileURLToPath(file), ...args);
  await import(file.href);
}

/** The repository's own Node 24 runs the source. */
function spawnSource() {
  // The server ends with this process, however that ends.
  const env = isServer ? { ...process.env, PILLARBOX_STARTED_BY: String(process.pid) } : process.env;
  const node24 = join(home, 'node_modules', '.bin', 'node');
  const command = spawn(node24, [fileURLToPath(file), ...args], { stdio: 'inherit', env });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => command.kill(signal));
  process.on('SIGINT', () => {}); // the terminal sends it to both; the command decides
  command.on('error', (problem) => {
    process.stderr.write(`pillarbox: ${problem.message}\n`);
    process.exit(1);
  });
  command.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}
