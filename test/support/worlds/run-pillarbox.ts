// The command line as people run it, `cli/pillarbox.js` as a process of its own; and the same within this process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { CliWorld } from '#cli/command.ts';
import { commands } from '#cli/commands.ts';
import { errorTable } from '#cli/error-codes.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { runCli } from '#cli/run-cli.ts';
import { restoreBackup } from '#local/backup/restore-backup.ts';
import { takeBackup } from '#local/backup/take-backup.ts';
import { refusalTable } from '#ops/api/refusals.ts';
import { openDeployment } from '#ops/aws/open-deployment.ts';
import { createResolver } from '#pipeline/dns/resolver.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';

const script = fileURLToPath(new URL('../../../cli/pillarbox.js', import.meta.url));

/** Nothing comes in, and what goes out is seen by nobody. */
export function emptyStreams(): CliWorld['standardStreams'] {
  return { input: Readable.from([]), output: new PassThrough() };
}

export type RanPillarbox = { readonly code: number; readonly out: string; readonly err: string };

/** Runs it to its end. */
export async function runPillarbox(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RanPillarbox> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    texts.out += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    texts.err += piece;
  });
  const [code] = await once(child, 'close');
  return { code: Number(code), ...texts };
}

/** The same commands without a process, over what is real of the rest: HTTP, AWS. What `--json` prints has the shape that is promised. */
export async function runInProcess(args: readonly string[], over: Partial<CliWorld> = {}): Promise<RanPillarbox> {
  let [out, err] = ['', ''];
  const world: CliWorld = {
    version: '0',
    self: 'pillarbox',
    write: (text) => {
      out += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
    },
    writeError: (text) => {
      err += text;
    },
    columns: null,
    readInput: async () => Buffer.alloc(0),
    standardStreams: emptyStreams(),
    askSecretly: null,
    editFile: null,
    environment: {},
    directory: process.cwd(),
    publicAddresses: () => [],
    dnsServers: () => [],
    fetch,
    dataBackup: { backup: takeBackup, restore: restoreBackup },
    openResolver: (options) => createResolver({ ...options, clock: Date.now }),
    openDeployment: (deployment, onProgress) =>
      openDeployment(deployment, { clock: Date.now, log: silentLog(), onProgress }),
    clock: Date.now,
    ...over,
  };
  const code = await runCli(args, { commands, world });
  if (args.includes('--json') && !args.includes('--help')) checkShape(args, { code, out, err });
  return { code, out, err };
}

/** A word of one of the two tables that the documentation has. */
const errorCode = z.enum([...Object.keys(errorTable), ...Object.keys(refusalTable)]);
const errorShape = z.strictObject({ error: z.strictObject({ code: errorCode, message: z.string() }) });

/** Nothing is there that the shape does not name, unless it says that more may be. */
function checkShape(args: readonly string[], { code, out, err }: RanPillarbox): void {
  if (code === exitCodes.failed || code === exitCodes.wrongUse) {
    assert.equal(out, '');
    const { error } = errorShape.parse(JSON.parse(err.trim().split('\n').at(-1) ?? ''));
    const refused = error.code === 'bad-parameter' ? exitCodes.wrongUse : exitCodes.failed;
    assert.equal(code, Object.entries(errorTable).find(([word]) => word === error.code)?.[1].exit ?? refused);
    return;
  }
  const names = commands.map(({ name }) => name).sort((a, b) => b.length - a.length);
  const command = commands.find(({ name }) => name === names.find((one) => `${args.join(' ')} `.startsWith(`${one} `)));
  const answer = JSON.parse(out);
  assert.deepEqual(command?.gives.parse(answer), answer, `what ${command?.name} --json prints`);
  assert.ok(code === exitCodes.done || command?.finds !== undefined, `${command?.name} says when its exit code is 3`);
}
