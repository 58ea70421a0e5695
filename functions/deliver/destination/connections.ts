// What one worker process keeps between jobs: open connections per host to use again, the slots of each destination, TLS sessions,
// and what it remembers of destinations, policies and keys. Made once, closed at the end. A destination never has more connections
// than it may have, those that wait to be used again included.
import { randomUUID } from 'node:crypto';
import { createSecureContext, rootCertificates } from 'node:tls';
import {
  madeRoom,
  type OpenConnection,
  type OpenFailure,
  type OpenRequest,
  openConnection,
  statedLimit,
} from '#functions/deliver/converse/open-connection.ts';
import { shownSeconds } from '#functions/deliver/converse/reply-reader.ts';
import { createPolicyFetch, type FetchPolicy } from '#functions/deliver/hosts/fetch-policy.ts';
import type { PolicyMemory } from '#functions/deliver/hosts/mta-sts.ts';
import type { PortMemory } from '#functions/deliver/hosts/port25.ts';
import type { KeyCache } from '#functions/deliver/message/outgoing-message.ts';
import type { DestinationMemory, RefusalMemory } from './destination.ts';
import { createLines } from './lines.ts';
import { createSlots, type Slots } from './slots.ts';

export type ConnectionOptions = {
  /** Certificates to trust besides the system's own, PEM. */
  readonly trustedCertificates?: readonly string[];
  /** A connection without work is closed after this time. */
  readonly idleSeconds?: number;
  /** Messages over one connection at most. */
  readonly messagesPerConnection?: number;
  /** Fetches an MTA-STS policy in another way than by HTTPS. */
  readonly fetchPolicy?: FetchPolicy;
  /** How long the answer to a whole message is waited for at least. */
  readonly finalReplySeconds?: number;
  /** How long a host may take to get ready before the others are told, and it has to make room where many wait. */
  readonly slowSeconds?: number;
};

/**
 * A connection in use. `reused` tells a fresh one apart: what breaks a reused one may be only its age. `mailsLeft`: how
 * many transactions it may still carry.
 */
export type Line = OpenConnection & {
  readonly key: string;
  readonly destination: string;
  readonly reused: boolean;
  readonly needsReset: boolean;
  readonly mailsLeft: number;
};

/** How a connection comes back: how many transactions it carried, and whether it may carry more. */
export type Use = { readonly transactions: number; readonly reusable: boolean; readonly needsReset: boolean };

export type LineOutcome = { readonly outcome: 'line'; readonly line: Line } | OpenFailure;

/**
 * Everything but the certificates and sessions, which are kept here. `fresh`: not one used before. `limit`: how many connections
 * the destination may have; `onSlow` is called when it takes long to get ready.
 */
export type LineRequest = Omit<OpenRequest, 'context' | 'session' | 'signal'> & {
  readonly fresh: boolean;
  readonly destination: string;
  readonly limit: number;
  readonly onSlow: (reason: string) => void;
};

export type Connections = {
  /** Names this process in leases. */
  readonly owner: string;
  /** Keys of the deliveries this process is at right now. */
  readonly underWay: Set<string>;
  readonly destinations: DestinationMemory;
  readonly refusals: RefusalMemory;
  readonly slots: Slots;
  /** RFC 5321 §4.5.3.2.6: to give up on the answer to a whole message is to not know. */
  readonly finalReplyMs: number;
  readonly policies: PolicyMemory;
  readonly port: PortMemory;
  readonly keys: KeyCache;
  readonly fetchPolicy: FetchPolicy;
  readonly obtain: (request: LineRequest) => Promise<LineOutcome>;
  /** While nothing of a message is sent yet, a slow conversation may have to make room for others. Answers what ends that. */
  readonly watch: (line: Line) => () => void;
  /** Takes a connection back to use again, or closes it. */
  readonly giveBack: (line: Line, use: Use) => void;
  /** Says QUIT to what is idle and drops what is not. */
  readonly close: () => Promise<void>;
};

const maxSessions = 1_000;
/** So many connections may take their time to get ready; beyond that the oldest has to make room. */
const maxSlow = 100;

/** Makes the connections of one process. */
export function createConnections(options: ConnectionOptions = {}): Connections {
  const { idleSeconds = 10, messagesPerConnection = 100, finalReplySeconds = 600, slowSeconds = 30 } = options;
  const context = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(options.trustedCertificates === undefined ? {} : { ca: [...rootCertificates, ...options.trustedCertificates] }),
  });
  const lines = createLines(idleSeconds * 1_000);
  const sessions = new Map<string, Buffer>();
  const patience = createPatience(slowSeconds * 1_000);
  let isClosed = false;
  const obtain = async (request: LineRequest): Promise<LineOutcome> => {
    const key = keyOf(request);
    const idle = request.fresh ? null : lines.takeIdle(key);
    if (idle !== null) {
      idle.wire.setDeadline(request.deadline);
      return { outcome: 'line', line: { ...idle, reused: true } };
    }
    const opening = await lines.makeRoom(request);
    const abort = new AbortController();
    const slow = (): void => request.onSlow(`not ready after ${shownSeconds(slowSeconds * 1_000)} s`);
    const stop = patience.watch(() => abort.abort(), slow);
    const session = sessions.get(key) ?? null;
    const opened = await openConnection({ ...request, context, session, signal: abort.signal }).finally(stop);
    if (opened.outcome === 'failed') {
      opening.failed();
      return opened;
    }
    opening.opened(opened.connection.wire);
    const mailsLeft = Math.min(messagesPerConnection, statedLimit(opened.connection, 'MAILMAX'));
    const { destination } = request;
    const line = { ...opened.connection, key, destination, reused: false, needsReset: false, mailsLeft };
    return { outcome: 'line', line };
  };
  const giveBack: Connections['giveBack'] = (line, { transactions, reusable, needsReset }) => {
    const mailsLeft = line.mailsLeft - transactions;
    rememberSession(sessions, line);
    if (!reusable) line.wire.close();
    else if (isClosed || mailsLeft <= 0 || !line.wire.isQuiet()) lines.retire(line);
    else lines.keep({ ...line, needsReset, mailsLeft });
  };
  return {
    owner: randomUUID(),
    underWay: new Set(),
    destinations: new Map(),
    refusals: new Map(),
    slots: createSlots(),
    finalReplyMs: finalReplySeconds * 1_000,
    policies: new Map(),
    port: { timeouts: new Map(), lastSuccessAt: null, blockedSince: null },
    keys: new Map(),
    fetchPolicy: options.fetchPolicy ?? createPolicyFetch(options.trustedCertificates),
    obtain,
    watch: ({ wire }) =>
      patience.watch(
        () => wire.fail(madeRoom),
        () => undefined,
      ),
    giveBack,
    close: async () => {
      isClosed = true;
      lines.close();
    },
  };
}

type Patience = {
  /** From now on: `onSlow` when it takes long, `giveUp` when it has to make room. Answers what ends that. */
  readonly watch: (giveUp: () => void, onSlow: () => void) => () => void;
};

/**
 * Hosts have minutes for each answer (RFC 5321 §4.5.3.2), but those that use them must not take all the room: of very many that
 * are slow the first has to go.
 */
function createPatience(slowMs: number): Patience {
  const slow = new Set<() => void>();
  return {
    watch: (giveUp, onSlow) => {
      const entry = (): void => giveUp();
      const timer = setTimeout(() => {
        slow.add(entry);
        onSlow();
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
    },
  };
}

/** A connection may be used again only for the same host, under the same policy, as the same client and user. */
function keyOf({ endpoint: { host, ip, port }, tls, implicitTls, clientName, login }: LineRequest): string {
  return [host, ip, port, tls, implicitTls, clientName, login?.user ?? ''].join(' ');
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
