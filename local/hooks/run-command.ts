// Runs the command of a hook on this machine: the event on its standard input, bounded in time and in what is kept of its output.
// No shell is between, its arguments are those of the configuration, and nothing of the mail is in its environment.
import { spawn } from 'node:child_process';
import type { CommandAnswer, RunCommand } from '#functions/notify/judge-command.ts';

/** What a program needs to start; all else of our own environment, secrets above all, is not passed on. */
const passedOn = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ'] as const;
const mostOutputBytes = 4_096;

/** `directory`: where commands are run. `close` kills those that run. */
export function createCommands({
  directory,
  environment,
}: {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}): { readonly run: RunCommand; readonly close: () => void } {
  const running = new Set<number>();
  const given = passedOn.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]]));
  const run: RunCommand = ({ hook, argv: [program = '', ...args], input, timeoutMs }) => {
    const { promise, resolve } = Promise.withResolvers<CommandAnswer>();
    const env = { ...Object.fromEntries(given), PILLARBOX_HOOK: hook };
    // In a process group of its own, so that what it started is killed with it.
    const child = spawn(program, args, { cwd: directory, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    const output = keepBeginning([child.stdout, child.stderr]);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      if (pid !== undefined) killGroup(pid);
    }, timeoutMs);
    const end = (answer: CommandAnswer): void => {
      clearTimeout(timer);
      if (pid !== undefined) {
        running.delete(pid);
        killGroup(pid); // what it left behind
      }
      resolve(answer);
    };
    child.on('error', (error) => end({ kind: 'failed', reason: `it cannot be run: ${error.message}` }));
    child.on('exit', (code, signal) => {
      if (isLate) end({ kind: 'failed', reason: `it was not done within ${timeoutMs / 1_000} s, and was killed` });
      else end({ kind: 'ended', code, signal, output: output() });
    });
    child.stdin.on('error', () => {}); // it need not read all, or anything
    child.stdin.end(input);
    return promise;
  };
  return { run, close: () => running.forEach(killGroup) };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // None of the group is left.
  }
}

/** All is read, so that nobody waits for us; the beginning is kept. */
function keepBeginning(streams: readonly NodeJS.ReadableStream[]): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (const stream of streams) {
    stream.on('data', (chunk: Buffer) => {
      if (bytes < mostOutputBytes) chunks.push(chunk);
      bytes += chunk.length;
    });
  }
  return () => Buffer.concat(chunks).subarray(0, mostOutputBytes).toString('utf8');
}
