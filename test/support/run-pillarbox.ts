// The command line as people run it: `cli/pillarbox.js` as a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../cli/pillarbox.js', import.meta.url));

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
