// Brings what the project needs on first use: `npm start`, `npm test` and the others call it before they begin.
// What is installed is what package-lock.json says, by version and hash, and no script of a package runs meanwhile; the lock
// file itself is only read. Plain JavaScript without dependencies: it runs on the machine's own Node (20 or later).
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const node24 = join(home, 'node_modules', '.bin', 'node');
const nodePackage = `node_modules/node-${process.platform}-${process.arch}`;
const npmsNode = join(home, nodePackage, 'bin', 'node');
const workFolder = join(home, '.build'); // npm empties node_modules: what has to outlive that is in here
const lockPath = join(workFolder, 'set-up.lock');
const staleLockMs = 900_000;

try {
  if (whatDiffers() !== null || !existsSync(node24)) setUp();
} catch (error) {
  process.stderr.write(`pillarbox: ${error.message}\n`);
  process.exitCode = 1;
}

function setUp() {
  const unlock = waitForOthers();
  try {
    if (whatDiffers() !== null) install();
    if (!existsSync(node24)) linkNode();
  } finally {
    unlock();
  }
}

function install() {
  process.stderr.write('pillarbox: first use here, installing what it needs (npm ci, about half a minute) …\n');
  const options = ['--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  const npm = spawnSync('npm', ['ci', ...options, '--loglevel=error', ...cacheOption()], {
    cwd: home,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (npm.status !== 0) {
    const cause = npm.error === undefined ? 'see above' : npm.error.message;
    throw new Error(`npm ci failed; ${cause}. It needs the npm registry once.`);
  }
  const difference = whatDiffers();
  if (difference !== null)
    throw new Error(`npm has installed something else than package-lock.json says: ${difference}`);
}

/** npm 10 loses the link. Where npm has no Node for this platform, the machine's own will do if it is new enough. */
function linkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (!existsSync(npmsNode) && major < 24) {
    const platform = `${process.platform} on ${process.arch}`;
    throw new Error(`Node 24 is needed, and for ${platform} it does not come from npm: install it, then start again`);
  }
  mkdirSync(dirname(node24), { recursive: true });
  rmSync(node24, { force: true });
  symlinkSync(existsSync(npmsNode) ? relative(dirname(node24), npmsNode) : process.execPath, node24);
}

/**
 * What node_modules has not, or has otherwise than package-lock.json wants it, as words; null: nothing. npm writes its list of
 * what it installed last of all, with the hashes that it checked.
 */
function whatDiffers() {
  const installed = packagesIn(join(home, 'node_modules', '.package-lock.json'));
  const wanted = packagesIn(join(home, 'package-lock.json'));
  if (installed === null) return 'node_modules is not there, or not whole';
  for (const [path, entry] of Object.entries(wanted ?? {})) {
    const isOurs = !path.startsWith('node_modules/') || entry.link === true; // this project, and local/node-24
    const isNeeded = !isOurs && (entry.optional !== true || path === nodePackage);
    const found = installed[path];
    if (found === undefined && isNeeded) return `${path} is missing`;
    if (found === undefined) continue;
    if (found.version !== entry.version) return `${path} is ${found.version}, not ${entry.version}`;
    if (found.integrity !== entry.integrity) return `${path} has another hash`;
  }
  return null;
}

function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return null;
  }
}

/** Two first uses at once would empty each other's node_modules: the second one waits. Answers what lets the next one go. */
function waitForOthers() {
  try {
    mkdirSync(workFolder, { recursive: true });
  } catch (error) {
    throw new Error(`${whatDiffers()}, and nothing can be installed here: ${error.message}`);
  }
  for (;;) {
    try {
      writeFileSync(lockPath, String(process.pid), { flag: 'wx' });
      return () => rmSync(lockPath, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isStale()) rmSync(lockPath, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}

/** Its process is gone, or it has stood there longer than any installation takes. */
function isStale() {
  try {
    const pid = Number(readFileSync(lockPath, 'utf8'));
    if (Date.now() - statSync(lockPath).mtimeMs > staleLockMs) return true;
    if (pid > 0) process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** npm fails where it cannot keep its cache: without a home to write to, the cache is kept in here. */
function cacheOption() {
  try {
    accessSync(homedir(), constants.W_OK);
    return [];
  } catch {
    return ['--cache', join(workFolder, 'npm-cache')];
  }
}
