// How long something took as if the machine had been ours alone: the time in which a thread of ours was ready to run and
// other programs had the processor is not counted. So a bound on time holds on a busy machine too, and is no looser on a
// quiet one. Where the system does not tell (Linux does), it is the time on the wall.
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Starts; what it answers is the milliseconds since then, without those in which others had the processor. */
export function stopwatch(): () => number {
  const from = performance.now();
  const before = threads();
  return () => {
    const wallMs = performance.now() - from;
    let waitedMs = 0;
    let busiestMs = 0;
    for (const [thread, { ran, waited }] of threads()) {
      const then = before.get(thread) ?? { ran: 0, waited: 0 };
      waitedMs += waited - then.waited;
      busiestMs = Math.max(busiestMs, ran - then.ran);
    }
    // Threads that wait side by side wait once: never less than what the busiest of them computed.
    return Math.max(wallMs - waitedMs, Math.min(busiestMs, wallMs));
  };
}

type Times = { readonly ran: number; readonly waited: number };

/** Each thread of this process: milliseconds on a processor, and ready but without one. */
function threads(): ReadonlyMap<string, Times> {
  const folder = '/proc/self/task';
  try {
    return new Map(readdirSync(folder).flatMap((thread) => timesOf(thread, `${folder}/${thread}/schedstat`)));
  } catch {
    return new Map();
  }
}

/** None of a thread that has just ended. */
function timesOf(thread: string, file: string): [string, Times][] {
  try {
    const [ran = 0, waited = 0] = readFileSync(file, 'utf8').split(' ').map(Number);
    return [[thread, { ran: ran / 1e6, waited: waited / 1e6 }]];
  } catch {
    return [];
  }
}

/**
 * The same for work that this process shares with those it started. The time is weighed with the part of the machine that
 * other programs left: where they took half of it, four seconds count as two.
 */
export function sharedStopwatch(): () => number {
  const from = performance.now();
  const before = busyMs() - treeMs(process.pid);
  return () => {
    const wallMs = performance.now() - from;
    const othersMs = busyMs() - treeMs(process.pid) - before;
    const left = 1 - othersMs / (wallMs * availableParallelism());
    return wallMs * Math.min(1, Math.max(0.05, left));
  };
}

const tickMs = 10; // of all times in /proc

/** How long the processors of the machine were at work, for whomever (`man 5 proc_stat`). */
function busyMs(): number {
  const [line = ''] = read('/proc/stat').split('\n', 1);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line.split(/ +/).slice(1).map(Number);
  return tickMs * (user + nice + system + irq + softIrq + steal);
}

/** How long a process computed, with all that it started, over or not. */
function treeMs(pid: number): number {
  const fields = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');
  const own = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  return tickMs * own + childrenOf(pid).reduce((sum, child) => sum + treeMs(child), 0);
}

function childrenOf(pid: number): readonly number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.flatMap((task) => (read(`/proc/${pid}/task/${task}/children`).match(/\d+/g) ?? []).map(Number));
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
