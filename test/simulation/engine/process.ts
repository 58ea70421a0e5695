// A simulated process: code that runs in it sees its clock, its timers and its sockets. It may die at any call to the outside: nothing
// of it happens any more, no answer arrives, no timer fires. It may stand still: what should have happened meanwhile happens after.
import { AsyncLocalStorage } from 'node:async_hooks';

/** What befalls a process at one of its calls: before the call takes effect, or after that and before its answer. */
export type Fate = {
  readonly at: number;
  readonly how: 'die-before' | 'die-after' | 'freeze';
  readonly freezeMs: number;
};

export type SimProcess = {
  readonly name: string;
  /** How far its time of day is off, in milliseconds. */
  readonly skewMs: number;
  /** Runs something in it: at once, later if it stands still, never if it is dead. */
  readonly enter: (work: () => void) => void;
  /** Notes a call to the outside, and says whether the process lives to make it, and to get its answer. */
  readonly call: () => 'go' | 'die-before' | 'die-after';
  readonly kill: () => void;
  readonly freeze: () => void;
  readonly thaw: () => void;
  readonly isAlive: () => boolean;
  readonly isFrozen: () => boolean;
  readonly onDeath: (hear: () => void) => void;
  /** The next of its calls at which something befalls it, counted from now. */
  readonly setFate: (fate: Fate | null) => void;
  /** The times at which it died or stood still. */
  readonly troubles: readonly number[];
};

/** What a process is part of. */
export type ProcessWorld = {
  readonly now: () => number;
  readonly in: (ms: number, fire: () => void) => unknown;
  readonly note: (line: string) => void;
  /** Hears that a process died, or stands still for so long. */
  readonly trouble: (what: string, ms: number) => void;
};

const running = new AsyncLocalStorage<SimProcess | null>();

/** The process that runs now; null: the world around it. */
export function currentProcess(): SimProcess | null {
  return running.getStore() ?? null;
}

/** Runs something outside of all processes. */
export function outside<Result>(work: () => Result): Result {
  return running.run(null, work);
}

/** Starts a process; it does nothing by itself. */
export function createProcess(world: ProcessWorld, name: string, skewMs: number): SimProcess {
  const deaths: (() => void)[] = [];
  const troubles: number[] = [];
  let state: 'running' | 'frozen' | 'dead' = 'running';
  let held: (() => void)[] = [];
  let calls = 0;
  let fate: Fate | null = null;
  const thaw = (): void => {
    if (state !== 'frozen') return;
    state = 'running';
    for (const work of held.splice(0)) process.enter(work);
  };
  const process: SimProcess = {
    name,
    skewMs,
    troubles,
    enter: (work) => {
      if (state === 'frozen') held.push(work);
      else if (state === 'running') running.run(process, work);
    },
    call: () => {
      calls += 1;
      if (fate === null || calls < fate.at) return 'go';
      const { how, freezeMs } = fate;
      fate = null;
      if (how !== 'freeze') {
        world.note(`${name} dies (${how.slice(4)} call ${calls})`);
        return how;
      }
      world.note(`${name} stands still for ${freezeMs} ms`);
      process.freeze();
      troubles.push(world.now());
      world.trouble(`${name} stands still`, freezeMs);
      world.in(freezeMs, () => {
        world.note(`${name} goes on`);
        thaw();
      });
      return 'go';
    },
    kill: () => {
      if (state === 'dead') return;
      state = 'dead';
      held = [];
      troubles.push(world.now());
      for (const hear of deaths) outside(hear);
    },
    freeze: () => {
      if (state === 'running') state = 'frozen';
    },
    thaw,
    isAlive: () => state !== 'dead',
    isFrozen: () => state === 'frozen',
    onDeath: (hear) => deaths.push(hear),
    setFate: (next) => {
      fate = next === null ? null : { ...next, at: calls + next.at };
    },
  };
  return process;
}
