#!/usr/bin/env node
// Starts the command line: installs what it needs on first use, then goes on with the project's own Node 24.
// Plain JavaScript without dependencies, since it runs on the machine's own Node (20 or later) before anything is there.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const setUp = spawnSync(process.execPath, [join(home, 'local', 'set-up.js')], { stdio: ['ignore', 2, 2] });
if (setUp.status !== 0) process.exit(setUp.status ?? 1);

const node24 = join(home, 'node_modules', '.bin', 'node');
const command = spawn(node24, [join(home, 'cli', 'main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => command.kill(signal));
process.on('SIGINT', () => {}); // the terminal sends it to both; the command decides
command.on('error', (problem) => {
  process.stderr.write(`pillarbox: ${problem.message}\n`);
  process.exit(1);
});
command.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
