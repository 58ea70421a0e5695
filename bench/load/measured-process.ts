// A server in a process of its own, and what it used: CPU seconds and peak memory, read from /proc (Linux).
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const ticksPerSecond = 100; // USER_HZ, fixed in Linux's ABI

export type MeasuredProcess = {
  /** The line of JSON that the process printed when it was ready; empty if `whenReady` said so. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** CPU seconds used so far, user and system together, all threads. */
  readonly cpuSeconds: () => number;
  /** The most memory it ever held (VmHWM), in MiB. */
  readonly peakMiB: () => number;
  readonly stop: () => Promise<void>;
};

export type Start = {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The checkout that the file is one of; left out: this one. */
  readonly checkout?: string | undefined;
  /** Resolves when the process is ready; left out: when it has printed its first line of JSON. */
  readonly whenReady?: () => Promise<void>;
  /** Gets what it prints once it is ready. */
  readonly onOutput?: (text: string) => void;
};

/** Starts `node <file> <args>` and resolves when it is ready. */
export async function startMeasured(
  file: string,
  { args = [], env = {}, checkout, whenReady, onOutput = () => undefined }: Start = {},
): Promise<MeasuredProcess> {
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
    cwd: checkout,
  });
  // A bench that fails leaves nothing running behind.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.removeListener('exit', kill));
  const ready = whenReady === undefined ? await firstJsonLine(child) : await whenReady().then(() => ({}));
  child.stdout?.setEncoding('utf8').on('data', onOutput);
  const pid = child.pid ?? 0;
  return {
    ready,
    cpuSeconds: () => cpuSecondsOf(pid),
    peakMiB: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
    stop: () => stop(child),
  };
}

/** CPU seconds that a process has used so far, all threads. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function firstJsonLine(child: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`it ended with ${code} before it was ready`)));
    if (child.stdout === null) return reject(new Error('no standard output'));
    const lines = createInterface(child.stdout);
    lines.on('line', (line) => {
      if (!line.startsWith('{')) return;
      lines.close();
      resolve(JSON.parse(line));
    });
  });
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
  });
}
