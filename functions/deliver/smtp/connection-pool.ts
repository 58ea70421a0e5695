// The open connections of one worker process, kept to be used again for the same host. Idle ones count towards the limit of their
// destination. It also keeps TLS sessions to resume, and ends the oldest of very many slow connections. Written here, because no SMTP
// client at hand gives its connections back between messages.
import { createSecureContext, rootCertificates } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { boundedTable } from '#pipeline/run/bounded-table.ts';
import { createCountedConnections, type PooledConnection } from './counted-connections.ts';
import { madeRoom, type OpenFailure, type OpenRequest, openConnection, statedLimit } from './open-connection.ts';
import { shownSeconds } from './reply-reader.ts';

export type PoolOptions = {
  /** Certificates to trust besides the system's own, PEM. */
  readonly trustedCertificates?: readonly string[];
  /** A connection without work is closed after this time. */
  readonly idleSeconds?: number;
  /** Messages over one connection at most. */
  readonly messagesPerConnection?: number;
  /** How long a host may take to get ready before it counts as slow. */
  readonly slowSeconds?: number;
};

/** How a connection comes back: how many transactions it carried, and whether it may carry more. */
export type Use = { readonly transactions: number; readonly reusable: boolean; readonly needsReset: boolean };

/**
 * Everything but the certificates and TLS sessions, which are kept here. `fresh`: not one used before. `limit`: how many connections
 * the destination may have; `onSlow` is called if it takes long to get ready.
 */
export type ConnectionRequest = Omit<OpenRequest, 'context' | 'tlsSession' | 'signal'> & {
  readonly fresh: boolean;
  readonly destination: string;
  readonly limit: number;
  readonly onSlow: (reason: string) => void;
};

export type ConnectionPool = {
  readonly acquire: (
    request: ConnectionRequest,
  ) => Promise<{ readonly outcome: 'connection'; readonly connection: PooledConnection } | OpenFailure>;
  /** Takes a connection back to use it again, or closes it. */
  readonly release: (connection: PooledConnection, use: Use) => void;
  /** Until content is sent, a slow conversation may have to make room for others. Answers what ends that. */
  readonly watchSlow: (connection: PooledConnection) => () => void;
  /** Says QUIT to what is idle, and resolves when no connection is open that nobody uses. */
  readonly closeIdle: () => Promise<void>;
  /** Says QUIT to what is idle and drops what is not. */
  readonly close: () => Promise<void>;
};

const maxTlsSessions = 1_000;
/** So many connections may take their time to get ready; beyond that the oldest has to make room. */
const maxSlow = 100;

/** Makes the pool of one process. */
export function createConnectionPool(options: PoolOptions = {}): ConnectionPool {
  const { idleSeconds = 10, messagesPerConnection = 100, slowSeconds = 30 } = options;
  const context = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(options.trustedCertificates === undefined ? {} : { ca: [...rootCertificates, ...options.trustedCertificates] }),
  });
  const connections = createCountedConnections(idleSeconds * 1_000);
  const tlsSessions = new LRUCache<string, Buffer>(boundedTable(maxTlsSessions));
  const watchSlow = createSlowWatch(slowSeconds * 1_000);
  let isClosed = false;
  return {
    acquire: async (request) => {
      const key = keyOf(request);
      const idle = request.fresh ? null : connections.takeIdle(key);
      if (idle !== null) {
        idle.socket.setDeadline(request.deadline);
        return { outcome: 'connection', connection: { ...idle, reused: true } };
      }
      const opening = await connections.makeRoom(request);
      if (opening === null) return noRoom(request);
      const abort = new AbortController();
      const onSlow = (): void => request.onSlow(`not ready after ${shownSeconds(slowSeconds * 1_000)} s`);
      const stop = watchSlow(() => abort.abort(), onSlow);
      const tlsSession = tlsSessions.get(key) ?? null;
      const opened = await openConnection({ ...request, context, tlsSession, signal: abort.signal }).finally(stop);
      if (opened.outcome === 'failed') {
        opening.failed();
        return opened;
      }
      opening.opened(opened.connection.socket);
      const mailsLeft = Math.min(messagesPerConnection, statedLimit(opened.connection, 'MAILMAX'));
      const { destination } = request;
      const connection = { ...opened.connection, key, destination, reused: false, needsReset: false, mailsLeft };
      return { outcome: 'connection', connection };
    },
    release: (connection, { transactions, reusable, needsReset }) => {
      const mailsLeft = connection.mailsLeft - transactions;
      rememberTlsSession(tlsSessions, connection);
      if (!reusable) connection.socket.close();
      else if (isClosed || mailsLeft <= 0 || !connection.socket.isQuiet()) connections.retire(connection);
      else connections.keep({ ...connection, needsReset, mailsLeft });
    },
    watchSlow: ({ socket }) => watchSlow(() => socket.fail(madeRoom)),
    closeIdle: connections.closeIdle,
    close: async () => {
      isClosed = true;
      connections.close();
    },
  };
}

/** A fault of ours: the job comes again, and the host is not asked. */
function noRoom({ destination }: ConnectionRequest): OpenFailure {
  const reason = `waits for a free connection to ${destination}: those of this process did not close`;
  return { outcome: 'failed', stage: 'connect', how: 'own-fault', reply: null, reason };
}

/** Calls `onSlow` when something takes long, and `giveUp` when it has to make room. Answers what ends the watch. */
type SlowWatch = (giveUp: () => void, onSlow?: () => void) => () => void;

/** Hosts have minutes for each answer (RFC 5321 §4.5.3.2); if very many use them, the oldest connection has to make room. */
function createSlowWatch(slowMs: number): SlowWatch {
  const slow = new Set<() => void>();
  return (giveUp, onSlow) => {
    const entry = (): void => giveUp();
    const timer = setTimeout(() => {
      slow.add(entry);
      onSlow?.();
      const [first] = slow;
      if (slow.size <= maxSlow || first === undefined) return;
      slow.delete(first);
      first();
    }, slowMs);
    timer.unref();
    return () => {
      clearTimeout(timer);
      slow.delete(entry);
    };
  };
}

/** A connection may be used again only for the same host, under the same policy, as the same client and user. */
function keyOf({ endpoint: { host, ip, port }, tls, implicitTls, clientName, login }: ConnectionRequest): string {
  return [host, ip, port, tls, implicitTls, clientName, login?.user ?? ''].join(' ');
}

/** Only sessions with a proven certificate: resuming one does not check the name again. */
function rememberTlsSession(tlsSessions: LRUCache<string, Buffer>, { key, tls, socket }: PooledConnection): void {
  const tlsSession = socket.tlsSession();
  if (tlsSession !== null && tls?.problem === null) tlsSessions.set(key, tlsSession);
}
