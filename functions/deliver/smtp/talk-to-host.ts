// One host asked for some recipients, as facts: what it said of each, over which connection, how long it took. What only the end of
// a connection left undone is done over another one.

import type { HostSlot } from '#functions/deliver/hosts/acquire-host.ts';
import { type HostsFound, policyNote } from '#functions/deliver/hosts/find-hosts.ts';
import type { OutgoingMessage } from '#functions/deliver/message/outgoing-message.ts';
import { withoutRelayRefusal } from '#functions/deliver/outcome/relay-refusal.ts';
import { pathsOf, type RecipientAtHost } from '#mail/envelope/recipient.ts';
import type { SentRecipient } from '#mail/smtp/parameters.ts';
import { recordedReply } from '#mail/smtp/reply.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Clock, Secrets } from '#pipeline/contract/ports.ts';
import type { HostTry } from '#pipeline/contract/records/delivery.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import type { ConnectionPool, ConnectionRequest, Use } from './connection-pool.ts';
import type { PooledConnection } from './counted-connections.ts';
import type { OpenFailure } from './open-connection.ts';
import { sendMessage } from './send-message.ts';
import { type AttemptTime, timeoutsOf } from './timeouts.ts';

/** A connection kept until the outcome is on record, and how it is to be given back. */
export type Held = { readonly connection: PooledConnection } & Use;

/** What one attempt's talks have in common. */
export type Context = {
  readonly deps: { readonly clock: Clock; readonly connections: ConnectionPool };
  readonly config: Config;
  readonly message: OutgoingMessage;
  readonly login: ConnectionRequest['login'];
  readonly time: AttemptTime;
  readonly mailHosts: HostsFound;
  /** The connections of the attempt, the newest last. */
  readonly held: Held[];
  readonly dsnPassedOn: Set<string>;
  /** Called when a host takes long to get ready. */
  readonly onSlow: (destination: string, reason: string) => void;
};

/** A connection that nothing more can be done with. */
export const spent: Use = { transactions: 0, reusable: false, needsReset: false };

type Talk = {
  readonly connection: PooledConnection | null;
  readonly failure: OpenFailure | null;
  readonly results: readonly RecipientAtHost[];
};

/** Asks one host for these recipients. Throws the fault of ours for which it could not even be asked. */
export async function talkToHost(
  context: Context,
  hostSlot: HostSlot,
  recipients: readonly SentRecipient[],
): Promise<HostTry> {
  const { target } = hostSlot;
  const started = performance.now();
  const at = new Date(context.deps.clock()).toISOString();
  closeOthers(context, hostSlot);
  const { connection, failure, results } = await talkToEnd(context, { hostSlot, recipients, fresh: false });
  if (failure?.how === 'own-fault' && results.length === 0) throw ownFault('system', failure.reason);
  const tls = connection?.tls ?? null;
  const said = policyNote(context.mailHosts.sts, target.host, { failure, tls });
  const notes = [failure?.reason ?? connection?.note ?? null, said].filter((note) => note !== null);
  return {
    host: target.host,
    ip: target.ip,
    port: portOf(context.config),
    at,
    seconds: secondsSince(started),
    reused: connection?.reused ?? false,
    tls,
    outcome: failure === null ? 'talked' : 'failed',
    stage: failure?.stage ?? null,
    reason: notes.length === 0 ? null : notes.join('; '),
    reply: failure?.reply ? recordedReply(failure.reply) : null,
    recipients: results.map((result) => withoutRelayRefusal(context.config, result)),
  };
}

/** A slot is the right to one connection: that to another address of the same destination (a relay's) is closed before. */
function closeOthers({ held, deps }: Context, { destination }: HostSlot): void {
  const kept = held.filter(({ connection }) => connection.destination !== destination);
  for (const one of held.splice(0, held.length, ...kept)) {
    if (!kept.includes(one)) deps.connections.release(one.connection, spent);
  }
}

type Asked = {
  readonly hostSlot: HostSlot;
  readonly recipients: readonly SentRecipient[];
  readonly fresh: boolean;
};

/** Talks until the host had its say on all: what only the end of a connection left undone is done over another one. */
async function talkToEnd(context: Context, asked: Asked): Promise<Talk> {
  const talk = await talkOnce(context, asked);
  const { connection, results } = talk;
  if (connection === null || performance.now() >= context.time.beginBy) return talk;
  // A connection used before may have been closed meanwhile: that says nothing of the host.
  const left = connection.reused && isStale(results) ? asked.recipients : cutOff(asked.recipients, results);
  if (left.length === 0) return talk;
  const used = context.held.pop();
  if (used !== undefined) context.deps.connections.release(used.connection, used);
  const done = results.filter(({ forwardPath }) => !pathsOf(left).has(forwardPath));
  const rest = await talkToEnd(context, { ...asked, recipients: left, fresh: true }).catch((thrown: unknown) => {
    if (done.length === 0) throw thrown;
    return null; // What the host took before a fault of ours stays true.
  });
  if (rest === null) return talk;
  return rest.failure !== null && done.length > 0 ? talk : { ...rest, results: [...done, ...rest.results] };
}

/** Those that were not reached because the host takes only so many transactions over one connection (RFC 9422). */
function cutOff(recipients: readonly SentRecipient[], results: readonly RecipientAtHost[]): readonly SentRecipient[] {
  if (!results.some(({ outcome }) => outcome === 'accepted')) return [];
  const left = pathsOf(results.filter((result) => isStale([result])));
  return recipients.filter(({ forwardPath }) => left.has(forwardPath));
}

async function talkOnce(context: Context, { hostSlot, recipients, fresh }: Asked): Promise<Talk> {
  const { deps, held, dsnPassedOn, time } = context;
  const acquired = await deps.connections.acquire({ ...connectionRequest(context, hostSlot), fresh });
  if (acquired.outcome === 'failed') return { connection: null, failure: acquired, results: [] };
  const { connection } = acquired;
  hostSlot.slot.markReady();
  held.push({ connection, ...spent });
  const stop = deps.connections.watchSlow(connection);
  const { results, relaysDsn, ...use } = await sendMessage(
    {
      connection,
      message: context.message,
      timeouts: timeoutsOf(context.config.delivery.attemptSeconds),
      reset: connection.needsReset,
      mailsLeft: connection.mailsLeft,
      time,
      onContent: stop,
    },
    recipients,
  ).finally(stop);
  held.splice(-1, 1, { connection, ...use });
  for (const { forwardPath, outcome } of results) if (outcome === 'accepted' && relaysDsn) dsnPassedOn.add(forwardPath);
  return { connection, failure: null, results };
}

function connectionRequest(
  context: Context,
  { target: { host, ip }, destination, mostConnections }: HostSlot,
): Omit<ConnectionRequest, 'fresh'> {
  const { config, mailHosts, login, time, onSlow } = context;
  const { mode, smarthost, attemptSeconds } = config.delivery;
  return {
    endpoint: { host, ip, port: portOf(config) },
    destination,
    limit: mostConnections(),
    clientName: config.hostname,
    tls: mailHosts.tls,
    implicitTls: mode === 'smarthost' && smarthost?.tls === 'implicit',
    login,
    timeouts: timeoutsOf(attemptSeconds),
    deadline: time.beginBy,
    onSlow: (reason) => onSlow(destination, `${host}: ${reason}`),
  };
}

/** How to log in at the smarthost; null if there is none, or it asks for nothing. Throws if the password cannot be read. */
export async function loginOf(secrets: Secrets, { delivery }: Config): Promise<ConnectionRequest['login']> {
  const { mode, smarthost } = delivery;
  if (mode !== 'smarthost' || smarthost === null || smarthost.user === null || smarthost.password === null) return null;
  return { user: smarthost.user, password: (await secrets.read(smarthost.password)).trim() };
}

function portOf({ delivery: { mode, smarthost, port } }: Config): number {
  return mode === 'smarthost' && smarthost !== null ? smarthost.port : port;
}

/** Nothing was sent, and all that came was the end of the connection or its announcement. */
function isStale(results: readonly RecipientAtHost[]): boolean {
  return results.every(
    ({ outcome, stage, reply }) => outcome === 'untried' || (stage === 'mail' && reply?.code === 421),
  );
}

/** Seconds since a time of `performance.now()`, to the millisecond. */
export function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000;
}
