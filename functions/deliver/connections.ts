// What one worker process keeps between jobs: open connections per host to use again, how many jobs are at each
// destination, TLS sessions, and what it remembers of destinations, policies and keys. Made once, closed at the end.
import { randomUUID } from 'node:crypto';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { DestinationMemory } from './destination.ts';
import { createPolicyFetch, type FetchPolicy } from './fetch-policy.ts';
import type { PolicyMemory } from './mta-sts.ts';
import {
  type OpenConnection,
  type OpenFailure,
  type OpenRequest,
  openConnection,
  statedLimit,
} from './open-connection.ts';
import type { PortMemory } from './port25.ts';
import type { KeyCache } from './prepare-letter.ts';

export type ConnectionOptions = {
  /** Certificates to trust besides the system's own, PEM. */
  readonly trustedCertificates?: readonly string[];
  /** A connection without work is closed after this time. */
  readonly idleSeconds?: number;
  /** Messages over one connection at most. */
  readonly messagesPerConnection?: number;
  /** Fetches an MTA-STS policy in another way than by HTTPS. */
  readonly fetchPolicy?: FetchPolicy;
};

/**
 * A connection in use. `reused` tells a fresh one apart: what breaks a reused one may be only its age. `mailsLeft`: how
 * many transactions it may still carry.
 */
export type Line = OpenConnection & {
  readonly key: string;
  readonly reused: boolean;
  readonly needsReset: boolean;
  readonly mailsLeft: number;
};

/** How a connection comes back: how many transactions it carried, and whether it may carry more. */
export type Use = { readonly transactions: number; readonly reusable: boolean; readonly needsReset: boolean };

export type LineOutcome = { readonly outcome: 'line'; readonly line: Line } | OpenFailure;

/** Everything but the certificates and sessions, which are kept here. `fresh`: not one used before. */
export type LineRequest = Omit<OpenRequest, 'context' | 'session'> & { readonly fresh: boolean };

/** A place among those at work for one destination; give it back with `done`. */
export type Turn = { readonly done: () => void };

export type Connections = {
  /** Names this process in leases. */
  readonly owner: string;
  /** Keys of the deliveries this process is at right now. */
  readonly underWay: Set<string>;
  readonly destinations: DestinationMemory;
  readonly policies: PolicyMemory;
  readonly port: PortMemory;
  readonly keys: KeyCache;
  readonly fetchPolicy: FetchPolicy;
  readonly obtain: (request: LineRequest) => Promise<LineOutcome>;
  /** Takes a connection back to use again, or closes it. */
  readonly giveBack: (line: Line, use: Use) => void;
  /** A turn at a destination where at most `limit` jobs are at work at once; null where none came free in time. */
  readonly takeTurn: (destination: string, limit: number, waitMs: number) => Promise<Turn | null>;
  /** Says QUIT to what is idle and drops what is not. */
  readonly close: () => Promise<void>;
};

type Idle = { readonly line: Line; readonly timer: NodeJS.Timeout; readonly until: number };
type Kept = { readonly lines: Set<OpenConnection['wire']>; readonly idle: Map<string, Idle[]> };

const maxSessions = 1_000;

/** Makes the connections of one process. */
export function createConnections(options: ConnectionOptions = {}): Connections {
  const { idleSeconds = 10, messagesPerConnection = 100 } = options;
  const context = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(options.trustedCertificates === undefined ? {} : { ca: [...rootCertificates, ...options.trustedCertificates] }),
  });
  const kept: Kept = { lines: new Set(), idle: new Map() };
  const sessions = new Map<string, Buffer>();
  const turns = createTurns();
  let isClosed = false;
  const drop = ({ wire }: Line): void => {
    kept.lines.delete(wire);
    wire.close();
  };
  const obtain = async (request: LineRequest): Promise<LineOutcome> => {
    const key = keyOf(request);
    const idle = request.fresh ? null : takeIdle(kept, key);
    if (idle !== null) {
      idle.wire.setDeadline(request.deadline);
      return { outcome: 'line', line: { ...idle, reused: true } };
    }
    const opened = await openConnection({ ...request, context, session: sessions.get(key) ?? null });
    if (opened.outcome === 'failed') return opened;
    kept.lines.add(opened.connection.wire);
    const mailsLeft = Math.min(messagesPerConnection, statedLimit(opened.connection, 'MAILMAX'));
    return { outcome: 'line', line: { ...opened.connection, key, reused: false, needsReset: false, mailsLeft } };
  };
  const giveBack: Connections['giveBack'] = (line, { transactions, reusable, needsReset }) => {
    const mailsLeft = line.mailsLeft - transactions;
    rememberSession(sessions, line);
    if (isClosed || !reusable || mailsLeft <= 0 || !line.wire.isQuiet()) {
      if (reusable) line.wire.write('QUIT\r\n');
      drop(line);
      return;
    }
    line.wire.setDeadline(Number.POSITIVE_INFINITY);
    const timer = setTimeout(() => {
      removeIdle(kept, line);
      line.wire.write('QUIT\r\n');
      drop(line);
    }, idleSeconds * 1000);
    timer.unref();
    // A process that was frozen in between finds its timers late: the time of day tells.
    const until = Date.now() + idleSeconds * 1000;
    kept.idle.set(line.key, [
      ...(kept.idle.get(line.key) ?? []),
      { line: { ...line, needsReset, mailsLeft }, timer, until },
    ]);
  };
  const close = async (): Promise<void> => {
    isClosed = true;
    for (const { line, timer } of [...kept.idle.values()].flat()) {
      clearTimeout(timer);
      line.wire.write('QUIT\r\n');
    }
    kept.idle.clear();
    for (const wire of kept.lines) wire.close();
    kept.lines.clear();
  };
  return {
    owner: randomUUID(),
    underWay: new Set(),
    destinations: new Map(),
    policies: new Map(),
    port: { timeouts: new Map(), lastSuccessAt: null, blockedSince: null },
    keys: new Map(),
    fetchPolicy: options.fetchPolicy ?? createPolicyFetch(options.trustedCertificates),
    obtain,
    giveBack,
    takeTurn: turns.take,
    close,
  };
}

/** A connection may be used again only for the same host, under the same policy, as the same client and user. */
function keyOf({ endpoint: { host, ip, port }, tls, implicitTls, clientName, login }: LineRequest): string {
  return [host, ip, port, tls, implicitTls, clientName, login?.user ?? ''].join(' ');
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
    kept.lines.delete(idle.line.wire);
    idle.line.wire.close();
  }
}

function removeIdle(kept: Kept, line: Line): void {
  const left = (kept.idle.get(line.key) ?? []).filter((idle) => idle.line.wire !== line.wire);
  if (left.length === 0) kept.idle.delete(line.key);
  else kept.idle.set(line.key, left);
}

/** Only sessions with a proven certificate: resuming one does not check the name again. */
function rememberSession(sessions: Map<string, Buffer>, { key, tls, wire }: Line): void {
  const session = wire.session();
  if (session === null || tls === null || tls.problem !== null) return;
  sessions.delete(key);
  sessions.set(key, session);
  const oldest = sessions.keys().next();
  if (sessions.size > maxSessions && oldest.done !== true) sessions.delete(oldest.value);
}

type Queue = { busy: number; readonly waiting: (() => void)[] };

function createTurns(): { readonly take: Connections['takeTurn'] } {
  const queues = new Map<string, Queue>();
  const done = (destination: string, queue: Queue): Turn => {
    let isDone = false;
    return {
      done: () => {
        if (isDone) return;
        isDone = true;
        const next = queue.waiting.shift();
        if (next !== undefined) return next();
        queue.busy -= 1;
        if (queue.busy === 0) queues.delete(destination);
      },
    };
  };
  return {
    take: (destination, limit, waitMs) => {
      const queue = queues.get(destination) ?? { busy: 0, waiting: [] };
      queues.set(destination, queue);
      if (queue.busy < limit) {
        queue.busy += 1;
        return Promise.resolve(done(destination, queue));
      }
      return new Promise((resolve) => {
        const go = (): void => {
          clearTimeout(timer);
          resolve(done(destination, queue));
        };
        const timer = setTimeout(() => {
          queue.waiting.splice(queue.waiting.indexOf(go), 1);
          resolve(null);
        }, waitMs);
        queue.waiting.push(go);
      });
    },
  };
}
