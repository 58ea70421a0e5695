// Composition root of the command line: the real terminal, folder, environment, clock and HTTP.
import { spawn } from 'node:child_process';
import { getServers } from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { isPrivate } from '#mail/address/private-address.ts';
import { ownName } from '#ops/own-name.ts';
import { createResolver } from '#pipeline/dns/resolver.ts';
import { createLog } from '#pipeline/observe/log.ts';
import type { CliWorld } from './command.ts';
import { commands } from './commands.ts';
import { exitCodes } from './exit-codes.ts';
import { runCli } from './run-cli.ts';

const world: CliWorld = {
  version: packageVersion(),
  self: ownName({ environment: process.env, home: join(import.meta.dirname, '..'), directory: process.cwd() }),
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  columns: process.stdout.isTTY ? process.stdout.columns : null,
  readInput: async () => {
    const pieces: Buffer[] = [];
    for await (const piece of process.stdin) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  },
  standardStreams: { input: process.stdin, output: process.stdout },
  askSecretly: process.stdin.isTTY ? askSecretly : null,
  editFile: process.stdin.isTTY ? editFile : null,
  environment: process.env,
  directory: process.cwd(),
  publicAddresses,
  fetch,
  dnsServers: getServers,
  openResolver: (options) => createResolver({ ...options, clock: Date.now }),
  openDeployment: openAws,
  dataBackup: {
    backup: async (request) => (await import('#local/backup/take-backup.ts')).takeBackup(request),
    restore: async (request) => (await import('#local/backup/restore-backup.ts')).restoreBackup(request),
  },
  clock: Date.now,
};

// `| head` closes the pipe: that is no failure, and what was begun is done. A full disk is one.
process.stdout.on('error', (problem: NodeJS.ErrnoException) => {
  if (problem.code === 'EPIPE') return;
  process.stderr.write(`pillarbox: the output cannot be written: ${problem.message}\n`);
  process.exit(exitCodes.failed);
});
process.stderr.on('error', () => {}); // nobody is left to tell
process.exitCode = await runCli(process.argv.slice(2), { commands, world });

function publicAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  return all.filter(({ family, address }) => family === 'IPv4' && !isPrivate(address)).map(({ address }) => address);
}

/** The AWS SDK is loaded only if it is needed. */
async function openAws(...[deployment, onProgress]: Parameters<CliWorld['openDeployment']>) {
  const { openDeployment } = await import('#ops/aws/open-deployment.ts');
  const log = createLog({ write: (line) => process.stderr.write(line), clock: Date.now });
  return openDeployment(deployment, { clock: Date.now, log, onProgress });
}

/** Reads a line at the terminal without an echo. */
async function askSecretly(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await reader.question('');
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}

/** By $VISUAL, $EDITOR or vi; the first two may be commands with arguments. */
async function editFile(path: string): Promise<void> {
  const editor = process.env['VISUAL'] || process.env['EDITOR'] || 'vi';
  const env = { ...process.env, PILLARBOX_FILE: path };
  const child = spawn(`${editor} "$PILLARBOX_FILE"`, { shell: true, stdio: 'inherit', env });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${editor} ended with ${code}`);
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}
