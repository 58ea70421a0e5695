// The connections of one process, counted by destination: those being opened, in use, idle, and being closed. If a new one would be one
// too many, the oldest idle one is closed first, and the new one waits for that.
import type { SmtpConnection } from './open-connection.ts';
import type { SmtpSocket } from './smtp-socket.ts';

/**
 * A connection in use. `reused` tells a fresh one apart: what breaks a reused one may be only its age. `mailsLeft`: how
 * many transactions it may still carry.
 */
export type PooledConnection = SmtpConnection & {
  readonly key: string;
  readonly destination: string;
  readonly reused: boolean;
  readonly needsReset: boolean;
  readonly mailsLeft: number;
};

/** A connection about to be opened; say how that went. */
export type Opening = { readonly opened: (socket: SmtpSocket) => void; readonly failed: () => void };

export type CountedConnections = {
  /** The youngest idle connection of this key, or null. */
  readonly takeIdle: (key: string) => PooledConnection | null;
  /** Resolves when the destination may have one more connection; null if that is not so after some seconds. */
  readonly makeRoom: (request: { readonly destination: string; readonly limit: number }) => Promise<Opening | null>;
  /** Keeps a connection to use again, for a while. */
  readonly keep: (connection: PooledConnection) => void;
  /** Says QUIT and closes; the connection counts until it is closed. */
  readonly retire: (connection: PooledConnection) => void;
  /** Says QUIT to what waits; resolves when all that was retired is closed. */
  readonly closeIdle: () => Promise<void>;
  /** Says QUIT to what waits, and closes all at once. */
  readonly close: () => void;
};

type Idle = { readonly connection: PooledConnection; readonly timer: NodeJS.Timeout; readonly until: number };
type Counted = { count: number; readonly waiting: Set<() => void> };
type Kept = {
  readonly sockets: Set<SmtpSocket>;
  readonly idle: Map<string, Idle[]>;
  readonly counted: Map<string, Counted>;
};

/** A connection that was said QUIT to is closed after one second. */
const longestRoomWaitMs = 5_000;

/** No connections yet. `idleMs`: how long one waits to be used again. */
export function createCountedConnections(idleMs: number): CountedConnections {
  const kept: Kept = { sockets: new Set(), idle: new Map(), counted: new Map() };
  const retiring = new Set<Promise<void>>();
  const retire = ({ socket }: PooledConnection): void => {
    socket.quit();
    const closed = socket.closed.finally(() => retiring.delete(closed));
    retiring.add(closed);
  };
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
      const isFull = (kept.counted.get(destination)?.count ?? 0) >= limit;
      return isFull ? null : openingAt(kept, destination);
    },
    keep: (connection) => {
      connection.socket.setDeadline(Number.POSITIVE_INFINITY);
      const timer = setTimeout(() => {
        removeIdle(kept, connection);
        retire(connection);
      }, idleMs);
      timer.unref();
      // The timers of a process that was frozen in between are late; the time of day is not.
      const entry = { connection, timer, until: Date.now() + idleMs };
      kept.idle.set(connection.key, [...(kept.idle.get(connection.key) ?? []), entry]);
    },
    closeIdle: async () => {
      for (const { connection } of [...kept.idle.values()].flat()) {
        removeIdle(kept, connection);
        retire(connection);
      }
      await Promise.all(retiring);
    },
    close: () => {
      for (const { connection, timer } of [...kept.idle.values()].flat()) {
        clearTimeout(timer);
        connection.socket.write('QUIT\r\n');
      }
      kept.idle.clear();
      for (const socket of kept.sockets) socket.close();
      kept.sockets.clear();
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
    opened: (socket) => {
      kept.sockets.add(socket);
      void socket.closed.then(() => {
        kept.sockets.delete(socket);
        gone();
      });
    },
  };
}

/** Resolves when a connection to the destination is closed, or at this time of `performance.now()`. */
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

/** Those that meanwhile broke or sent something unasked (a 421) are dropped. */
function takeIdle(kept: Kept, key: string): PooledConnection | null {
  const waiting = kept.idle.get(key) ?? [];
  while (true) {
    const idle = waiting.pop();
    if (waiting.length === 0) kept.idle.delete(key);
    if (idle === undefined) return null;
    clearTimeout(idle.timer);
    if (idle.connection.socket.isQuiet() && Date.now() < idle.until) return idle.connection;
    idle.connection.socket.close();
  }
}

/** The one that has waited longest; a Map keeps the order in which its keys came. */
function oldestIdle({ idle }: Kept, destination: string): PooledConnection | null {
  for (const entries of idle.values()) {
    const found = entries.find(({ connection }) => connection.destination === destination);
    if (found !== undefined) return found.connection;
  }
  return null;
}

function removeIdle(kept: Kept, connection: PooledConnection): void {
  const entries = kept.idle.get(connection.key) ?? [];
  for (const { connection: found, timer } of entries) if (found.socket === connection.socket) clearTimeout(timer);
  const left = entries.filter(({ connection: found }) => found.socket !== connection.socket);
  if (left.length === 0) kept.idle.delete(connection.key);
  else kept.idle.set(connection.key, left);
}
