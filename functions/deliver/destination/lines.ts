// The connections of one process, counted by destination: those being opened, in use, waiting to be used again, and being closed.
// Where a new one would be one too many, the oldest that waits has to go first, and is waited for until it is gone.

import type { Wire } from '#functions/deliver/converse/smtp-wire.ts';
import type { Line } from './connections.ts';

/** A connection about to be opened; say how that went. */
export type Opening = { readonly opened: (wire: Wire) => void; readonly failed: () => void };

export type Lines = {
  /** The youngest connection that waits under this key, or null. */
  readonly takeIdle: (key: string) => Line | null;
  /** Resolves when the destination may have one more connection, or after two seconds: no host is waited for longer. */
  readonly makeRoom: (request: { readonly destination: string; readonly limit: number }) => Promise<Opening>;
  /** Keeps a connection to use again, for a while. */
  readonly keep: (line: Line) => void;
  /** Says QUIT and closes; the connection counts until it is closed. */
  readonly retire: (line: Line) => void;
  /** Says QUIT to what waits, and closes all at once. */
  readonly close: () => void;
};

type Idle = { readonly line: Line; readonly timer: NodeJS.Timeout; readonly until: number };
type Counted = { count: number; readonly waiting: Set<() => void> };
type Kept = {
  readonly wires: Set<Wire>;
  readonly idle: Map<string, Idle[]>;
  readonly counted: Map<string, Counted>;
};

const longestRoomWaitMs = 2_000;

/** No connections yet. `idleMs`: how long one waits to be used again. */
export function createLines(idleMs: number): Lines {
  const kept: Kept = { wires: new Set(), idle: new Map(), counted: new Map() };
  const retire = ({ wire }: Line): void => wire.quit();
  return {
    retire,
    takeIdle: (key) => takeIdle(kept, key),
    makeRoom: async ({ destination, limit }) => {
      const until = performance.now() + longestRoomWaitMs;
      while ((kept.counted.get(destination)?.count ?? 0) >= limit && performance.now() < until) {
        const closing = whenFewer(kept, destination, until);
        const oldest = oldestIdle(kept, destination);
        if (oldest !== null) {
          removeIdle(kept, oldest);
          retire(oldest);
        }
        await closing;
      }
      return openingAt(kept, destination);
    },
    keep: (line) => {
      line.wire.setDeadline(Number.POSITIVE_INFINITY);
      const timer = setTimeout(() => {
        removeIdle(kept, line);
        retire(line);
      }, idleMs);
      timer.unref();
      // A process that was frozen in between finds its timers late: the time of day tells.
      const entry = { line, timer, until: Date.now() + idleMs };
      kept.idle.set(line.key, [...(kept.idle.get(line.key) ?? []), entry]);
    },
    close: () => {
      for (const { line, timer } of [...kept.idle.values()].flat()) {
        clearTimeout(timer);
        line.wire.write('QUIT\r\n');
      }
      kept.idle.clear();
      for (const wire of kept.wires) wire.close();
      kept.wires.clear();
    },
  };
}

function openingAt(kept: Kept, destination: string): Opening {
  const counted = kept.counted.get(destination) ?? { count: 0, waiting: new Set() };
  kept.counted.set(destination, counted);
  counted.count += 1;
  const gone = (): void => {
    counted.count -= 1;
    if (counted.count === 0 && counted.waiting.size === 0) kept.counted.delete(destination);
    for (const go of counted.waiting) go();
  };
  return {
    failed: gone,
    opened: (wire) => {
      kept.wires.add(wire);
      void wire.closed.then(() => {
        kept.wires.delete(wire);
        gone();
      });
    },
  };
}

/** Resolves when a connection to the destination is gone, or at this time of `performance.now()`. */
function whenFewer({ counted }: Kept, destination: string, until: number): Promise<void> {
  return new Promise((resolve) => {
    const waiting = counted.get(destination)?.waiting;
    const go = (): void => {
      clearTimeout(timer);
      waiting?.delete(go);
      resolve();
    };
    const timer = setTimeout(go, Math.max(1, until - performance.now()));
    waiting?.add(go);
  });
}

/** The youngest first; those that meanwhile broke or spoke unasked (a 421) are dropped. */
function takeIdle(kept: Kept, key: string): Line | null {
  const waiting = kept.idle.get(key) ?? [];
  while (true) {
    const idle = waiting.pop();
    if (waiting.length === 0) kept.idle.delete(key);
    if (idle === undefined) return null;
    clearTimeout(idle.timer);
    if (idle.line.wire.isQuiet() && Date.now() < idle.until) return idle.line;
    idle.line.wire.close();
  }
}

/** The one that has waited longest; a Map keeps the order in which its keys came. */
function oldestIdle({ idle }: Kept, destination: string): Line | null {
  for (const entries of idle.values()) {
    const found = entries.find(({ line }) => line.destination === destination);
    if (found !== undefined) return found.line;
  }
  return null;
}

function removeIdle(kept: Kept, line: Line): void {
  const entries = kept.idle.get(line.key) ?? [];
  for (const { line: found, timer } of entries) if (found.wire === line.wire) clearTimeout(timer);
  const left = entries.filter(({ line: found }) => found.wire !== line.wire);
  if (left.length === 0) kept.idle.delete(line.key);
  else kept.idle.set(line.key, left);
}
