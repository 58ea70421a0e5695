// Runs a program of a hook on this machine, bounded in time and in what is kept of its output. No shell is between, and its environment
// has nothing of ours but what it needs to start.
import { type ChildProcess, spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import type { CommandAnswer } from '#functions/notify/judge-program.ts';

/** What a program needs to start; all else of our own environment, secrets above all, is not passed on. */
const passedOn = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ'] as const;
const mostOutputBytes = 4_096;
const mostResultBytes = 6_291_456;
/** How long its pipes are read after its end: a process that has left its group may hold them open. */
const lastOutputMs = 1_000;

export type Program = {
  readonly argv: readonly string[];
  /** On its standard input. */
  readonly input: Uint8Array;
  readonly timeoutMs: number;
  /** Of its environment, besides the few that are passed on. */
  readonly variables: Readonly<Record<string, string>>;
};

/** `result`: what it wrote to file descriptor 3, at most 6 MiB. */
export type ProgramAnswer = { readonly answer: CommandAnswer; readonly result: string };

/** `run` never rejects. `close` kills those that run. */
export type RunningPrograms = {
  readonly run: (program: Program) => Promise<ProgramAnswer>;
  readonly close: () => void;
};

/** `directory`: where programs are run. */
export function createPrograms({
  directory,
  environment,
}: {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}): RunningPrograms {
  const running = new Set<number>();
  const given = passedOn.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]]));
  const run: RunningPrograms['run'] = async ({ argv: [file = '', ...args], input, timeoutMs, variables }) => {
    const env = { ...Object.fromEntries(given), ...variables };
    // In a process group of its own, so that what it started is killed with it.
    const child = spawn(file, args, { cwd: directory, env, detached: true, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    const output = keepBeginning([child.stdout, child.stderr], mostOutputBytes);
    const result = keepBeginning([child.stdio[3]], mostResultBytes);
    child.stdin?.on('error', () => {}); // it need not read all, or anything
    child.stdin?.end(input);
    const end = await endOf(child, timeoutMs);
    if (pid !== undefined) running.delete(pid);
    return { answer: end.kind === 'ended' ? { ...end, output: output() } : end, result: result() };
  };
  return { run, close: () => running.forEach(killGroup) };
}

type End =
  | { readonly kind: 'ended'; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: 'failed'; readonly reason: string };

/** How it ended, when all it wrote is read, and what it left behind is killed. */
function endOf(child: ChildProcess, timeoutMs: number): Promise<End> {
  const { promise, resolve } = Promise.withResolvers<End>();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child.pid);
  }, timeoutMs);
  child.on('error', (error) => {
    clearTimeout(timer);
    resolve({ kind: 'failed', reason: `it cannot be run: ${error.message}` });
  });
  child.on('exit', (code, signal) => {
    clearTimeout(timer);
    killGroup(child.pid);
    const end: End = isLate
      ? { kind: 'failed', reason: `it was not done within ${timeoutMs / 1_000} s, and was killed` }
      : { kind: 'ended', code, signal };
    const last = setTimeout(() => resolve(end), lastOutputMs);
    child.on('close', () => {
      clearTimeout(last);
      resolve(end);
    });
  });
  return promise;
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // None of the group is left.
  }
}

/** All is read, so that nobody waits for us; the beginning is kept. */
function keepBeginning(streams: readonly unknown[], mostBytes: number): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (const stream of streams) {
    if (!(stream instanceof Readable)) continue;
    stream.on('data', (chunk: Buffer) => {
      if (bytes < mostBytes) chunks.push(chunk);
      bytes += chunk.length;
    });
    stream.on('error', () => {});
  }
  return () => Buffer.concat(chunks).subarray(0, mostBytes).toString('utf8');
}
