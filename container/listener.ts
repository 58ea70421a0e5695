// The listener: opens the ports of the configuration, one role each, and wires what their sessions share.

import { availableParallelism } from 'node:os';
import { createFairBudget } from '#container/intake/fair-budget.ts';
import { createConnectionCounts, createFailureTable, createRate, limitFor } from '#container/limits/limits.ts';
import { createPasswordCheck } from '#container/log-in/check-password.ts';
import { createGuessLimit } from '#container/log-in/guess-limit.ts';
import { createHashQueue } from '#container/log-in/hash-queue.ts';
import { createLoginSecrets } from '#container/log-in/login-secrets.ts';
import { createHashRenewal } from '#container/log-in/renew-hash.ts';
import { startConversation } from '#container/session/conversation.ts';
import type { ProtocolOptions, ProtocolServer } from '#container/session/protocol-options.ts';
import type { SessionShared } from '#container/session/session-state.ts';
import { listen } from '#container/session/smtp-protocol.ts';
import type { Client, Conversation } from '#container/session/step.ts';
import { type Submission, type Submitted, submitMessage } from '#container/session/submit-message.ts';
import { watchCertificate } from '#container/tls/certificate.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import type { Peer } from '#mail/address/peer-address.ts';
import { replies } from '#mail/smtp/replies.ts';
import type { Config } from '#pipeline/config/config.ts';
import { hashMemoryBytes } from '#pipeline/config/password.ts';
import { type CurrentConfig, keepConfig } from './current-config.ts';
import type { ListenerDeps, ListenerHealth, Role } from './listener-deps.ts';

export type Listener = {
  readonly addresses: readonly { readonly role: Role; readonly host: string; readonly port: number }[];
  readonly health: () => ListenerHealth;
  /** Takes a message from the operator, by the rules of a submission port. */
  readonly submit: (submission: Submission) => Promise<Submitted>;
  /** No new connections, `421` to who is idle; messages on their way are finished, for at most the grace. */
  readonly close: (graceSeconds: number) => Promise<void>;
};

// Measured on S3 over TLS: a byte of a message costs up to three while its parts are put together and encrypted; the process
// itself takes 100 MiB, and a thousand connections as much again.
const inFlightShare = 1 / 6;

/** Opens all ports; rejects if one cannot be had, or the certificate cannot be used. */
export async function startListener(deps: ListenerDeps): Promise<Listener> {
  const open: { role: Role; host: string; server: ProtocolServer }[] = [];
  const config = keepConfig(deps, await deps.config.current(), () => {
    for (const { server } of open) server.checkSessions();
  });
  const certificate = await deps.certificate();
  const connections = createConnectionCounts();
  const stored: { at: string | null; failedAt: string | null } = { at: null, failedAt: null };
  const shared = createShared(deps, config, (isStored) => {
    stored[isStored ? 'at' : 'failedAt'] = new Date(deps.clock()).toISOString();
    if (!isStored) deps.metrics.count('store-failures');
  });
  const ports = deps.listeners ?? config.current().listeners;
  const wanted = ports.filter(({ role }) => deps.onlyRoles?.includes(role) ?? true);
  try {
    for (const { role, host, port } of wanted) {
      const isBehindProxy = deps.isBehindProxy ?? false;
      const ofPort = { ...shared, role, isLocalPort: isLoopbackHost(host) && !isBehindProxy };
      const server = await listen({
        host,
        port,
        implicitTls: role === 'submissions',
        isBehindProxy,
        certificate,
        greetingDelayMs: ({ isLoopback }) => deps.greetingDelayMs ?? (isLoopback ? 0 : 100),
        admit: (peer) => admitCounted(deps, config.current().limits, connections, peer),
        converse: (client) => converse(ofPort, client),
        log: deps.log,
        onFault: () => deps.metrics.count('store-failures'),
      });
      open.push({ role, host, server });
    }
  } catch (error) {
    await Promise.all(open.map(({ server }) => server.close(0)));
    config.stop();
    throw error;
  }
  const watched = watchCertificate({
    ...deps,
    current: certificate,
    use: (renewed) => {
      for (const { server } of open) server.useCertificate(renewed);
    },
  });
  let isDraining = false;
  return {
    addresses: open.map(({ role, host, server }) => ({ role, host, port: server.port })),
    submit: (submission) => submitMessage({ ...shared, role: 'submission', isLocalPort: false }, submission),
    health: () => {
      const shutOut = shared.loginSecrets.problems(config.current().users);
      return {
        connections: connections.total(),
        isDraining,
        closedPorts: open.filter(({ server }) => !server.isListening()).map(({ server }) => server.port),
        bytesInFlight: shared.budget.used(),
        lastStoredAt: stored.at,
        lastStoreFailureAt: stored.failedAt,
        usersShutOut: shutOut.length,
        problems: [
          ...[deps.certificateProblem?.() ?? watched.problem()].filter((problem) => problem !== null),
          ...shutOut,
        ],
      };
    },
    close: async (graceSeconds) => {
      isDraining = true;
      watched.stop();
      config.stop();
      deps.chaos?.endDelays();
      await Promise.all(open.map(({ server }) => server.close(graceSeconds)));
    },
  };
}

function converse(shared: SessionShared, client: Client): Conversation {
  const conversation = startConversation(shared, client);
  return shared.deps.chaos?.disturb(conversation, { client, config: shared.config.current }) ?? conversation;
}

function createShared(
  deps: ListenerDeps,
  config: CurrentConfig,
  onStored: (isStored: boolean) => void,
): Omit<SessionShared, 'role' | 'isLocalPort'> {
  const now = () => performance.now();
  const memoryBytes = deps.memoryBytes ?? Number.POSITIVE_INFINITY;
  const hashesAtOnce = mostHashes(memoryBytes);
  const mostInFlight = Math.max(memoryBytes / 2, memoryBytes - hashesAtOnce * hashMemoryBytes) * inFlightShare;
  return {
    deps,
    config,
    anyLogin: deps.anyLogin ?? false,
    onStored,
    budget: createFairBudget(() => Math.min(config.current().limits.bytesInFlight, mostInFlight)),
    rate: createRate(now),
    userRate: createRate(now),
    recipientRate: createRate(now),
    failures: createFailureTable(now),
    guesses: createGuessLimit(now),
    checkPassword: createPasswordCheck(now, createHashQueue(hashesAtOnce)),
    hashes: createHashRenewal(deps),
    loginSecrets: createLoginSecrets(deps),
  };
}

/** How many passwords are hashed at once, at least one: a processor stays for the mail, and an eighth of the memory is enough. */
function mostHashes(memoryBytes: number): number {
  const affordable = Math.floor(memoryBytes / 8 / hashMemoryBytes);
  return Math.max(1, Math.min(2, availableParallelism() - 1, affordable));
}

function admitCounted(
  { metrics, log }: ListenerDeps,
  limits: Config['limits'],
  connections: ReturnType<typeof createConnectionCounts>,
  peer: Peer,
): ReturnType<ProtocolOptions['admit']> {
  const admission = admitPeer(limits, connections, peer);
  const { outcome } = admission;
  metrics.count('connections', { outcome });
  if (outcome === 'refused') {
    const { code, enhanced, text } = admission.reply;
    metrics.count('refusals', { reason: `${code} ${enhanced}` });
    log.warn('connection-refused', { clientIp: peer.ip, reply: text });
  }
  return admission;
}

function admitPeer(
  limits: Config['limits'],
  connections: ReturnType<typeof createConnectionCounts>,
  peer: Peer,
): ReturnType<ProtocolOptions['admit']> {
  const place = connections.take(peer.group, {
    perGroup: limitFor(limits, 'connectionsPerIp', peer),
    total: limits.connections,
  });
  if (place.outcome === 'taken') return { outcome: 'admitted', release: place.release };
  const isInAll = place.outcome === 'total';
  return { outcome: 'refused', reply: isInAll ? replies.tooManyConnectionsInAll : replies.tooManyConnections };
}
