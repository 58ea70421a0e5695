// Brings what the project needs on first use: `npm start`, `npm test` and the others call it before they begin.
// Plain JavaScript without dependencies, since it runs on the machine's own Node (20 or later) before anything is there.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync, utimesSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const installed = join(home, 'node_modules', '.package-lock.json');
const wanted = join(home, 'package-lock.json');
const node24 = join(home, 'node_modules', '.bin', 'node');

if (!isSetUp()) {
  process.stderr.write('pillarbox: first use here, installing what it needs (npm install, about half a minute) …\n');
  const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...cacheOption()], {
    cwd: home,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (npm.status !== 0 || !existsSync(node24)) {
    const cause = npm.error === undefined ? 'see above' : npm.error.message;
    process.stderr.write(`pillarbox: npm install failed; ${cause}. It needs the npm registry once.\n`);
    process.exit(1);
  }
  utimesSync(installed, new Date(), new Date());
}

/** npm fails where it cannot keep its cache: without a home to write to, the cache is kept in here. */
function cacheOption() {
  try {
    accessSync(homedir(), constants.W_OK);
    return [];
  } catch {
    return ['--cache', join(home, 'node_modules', '.cache', 'npm')];
  }
}

function isSetUp() {
  if (!existsSync(installed) || !existsSync(node24)) return false;
  return !existsSync(wanted) || statSync(installed).mtimeMs >= statSync(wanted).mtimeMs;
}
