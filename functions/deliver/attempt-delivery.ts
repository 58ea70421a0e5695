// One attempt, as facts: the hosts tried in order, what each said of each recipient, how long it took. Decides only
// what the protocol decides (who is worth asking next); what follows from the facts is for judge-attempt.ts.
import type { Config } from '#pipeline/config.ts';
import type { DeliveryAttempt, HostTry } from '#pipeline/delivery-state.ts';
import type { DeliverJob } from '#pipeline/jobs.ts';
import type { Clock, ObjectStore, Resolve, Secrets } from '#pipeline/ports.ts';
import type { Connections, Line, LineRequest, Use } from './connections.ts';
import { converse, type Letter, type LetterRecipient, type RecipientResult } from './converse.ts';
import type { Target } from './find-routes.ts';
import { findTargets, type PolicedTargets, policyNote } from './find-targets.ts';
import { limitsOf, type OpenFailure } from './open-connection.ts';

export type AttemptDeps = {
  readonly resolve: Resolve;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly random: () => number;
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly connections: Connections;
};

/**
 * What an attempt found. `permanent`: no mail can go there at all. `dsnPassedOn`: accepted by a host that sends
 * notifications itself. `release` gives the connections back: only once the outcome is on record, so that a crash can
 * double at most the one message a connection was at.
 */
export type AttemptFacts = {
  readonly record: Omit<DeliveryAttempt, 'attempt'>;
  readonly permanent: { readonly status: string; readonly reason: string } | null;
  readonly dsnPassedOn: ReadonlySet<string>;
  /** Whether every host there is was asked. */
  readonly isExhausted: boolean;
  /** Why no host was asked: the destination is left alone for now, or the recipients are here and have it. */
  readonly unasked?: 'left-alone' | 'landed';
  readonly release: () => void;
};

type Held = { readonly line: Line } & Use;
type Context = {
  readonly deps: AttemptDeps;
  readonly config: Config;
  readonly job: DeliverJob;
  readonly letter: Letter;
  readonly deadline: number;
  readonly routes: PolicedTargets;
  readonly held: Held[];
  readonly dsnPassedOn: Set<string>;
};

const maxHostsTalkedTo = 3;
const slowestBytesPerSecond = 131_072;
const longestSeconds = 500; // the stage's own limit is 600 s

/** Tries the hosts of the job's domain for the job's recipients. `letter` is asked for once there is somewhere to go. */
export async function attemptDelivery(
  deps: AttemptDeps,
  { config, job }: { readonly config: Config; readonly job: DeliverJob },
  letter: () => Promise<Letter>,
): Promise<AttemptFacts> {
  const started = performance.now();
  const at = new Date(deps.clock()).toISOString();
  const held: Held[] = [];
  const dsnPassedOn = new Set<string>();
  const done = (
    hosts: readonly HostTry[],
    end: Pick<AttemptFacts, 'permanent' | 'isExhausted'> & { readonly reason: string | null },
  ): AttemptFacts => ({
    record: { at, seconds: secondsSince(started), reason: end.reason, hosts: [...hosts] },
    permanent: end.permanent,
    isExhausted: end.isExhausted,
    dsnPassedOn,
    release: () => {
      for (const { line, ...use } of held.splice(0)) deps.connections.giveBack(line, use);
    },
  });

  const routes = await findTargets(deps, config, job.domain);
  if (routes.outcome === 'permanent') return done([], { permanent: routes, reason: routes.reason, isExhausted: true });
  if (routes.outcome === 'later') return done([], { permanent: null, reason: routes.reason, isExhausted: true });
  const deadline = started + attemptLimitSeconds(config.delivery, job.raw.bytes) * 1000;
  const context = { deps, config, job, letter: await letter(), deadline, routes, held, dsnPassedOn };
  const hosts = await tryTargets(context, routes.targets);
  const isExhausted = hosts.length === routes.targets.length;
  return done(hosts, { permanent: null, reason: routes.note, isExhausted });
}

/** How long an attempt may take: as configured, and longer for a large message, within what a worker has. */
export function attemptLimitSeconds({ attemptSeconds }: Config['delivery'], bytes: number): number {
  return attemptSeconds + Math.min(bytes / slowestBytesPerSecond, Math.max(0, longestSeconds - attemptSeconds));
}

async function tryTargets(context: Context, targets: readonly Target[]): Promise<HostTry[]> {
  const hosts: HostTry[] = [];
  for (const target of targets) {
    const left = worthAsking(context.job, hosts);
    const talkedTo = hosts.filter(({ outcome }) => outcome === 'talked').length;
    if (left.length === 0 || talkedTo >= maxHostsTalkedTo || performance.now() >= context.deadline) break;
    hosts.push(await tryHost(context, target, left));
  }
  return hosts;
}

/**
 * Recipients for whom another host may have another answer: nothing was sent yet, or the answer was temporary, or that host
 * lacked something. Never after a final answer, and never where a message may already have been delivered.
 */
function worthAsking({ recipients, sender }: DeliverJob, hosts: readonly HostTry[]): LetterRecipient[] {
  const isOver = (forwardPath: string): boolean =>
    hosts.some((host) =>
      host.recipients.some(
        (result) =>
          result.forwardPath === forwardPath &&
          (result.outcome === 'accepted' ||
            result.outcome === 'unknown' ||
            (result.outcome === 'refused' && result.stage !== 'capability')),
      ),
    );
  const seen = new Set<string>();
  return recipients.flatMap(({ forwardPath, originalForwardPath, dsn }): LetterRecipient[] => {
    if (isOver(forwardPath) || seen.has(forwardPath)) return [];
    seen.add(forwardPath);
    // RFC 3461 §5.2.7: the success of what an alias led to is reported here (`expanded`), so it is not asked for there.
    const asked = originalForwardPath === null ? dsn.notify : withoutSuccess(dsn.notify);
    // A host that knows DSN is told not to report to somebody who may have written nothing.
    const notify = sender?.proven === false ? ['never'] : asked;
    return [{ forwardPath, notify, orcpt: dsn.orcpt }];
  });
}

function withoutSuccess(notify: DeliverJob['recipients'][number]['dsn']['notify']): readonly string[] | null {
  if (notify === null || !notify.includes('success')) return notify;
  const rest = notify.filter((word) => word !== 'success');
  return rest.length > 0 ? rest : ['never'];
}

type Talk = {
  readonly line: Line | null;
  readonly failure: OpenFailure | null;
  readonly results: readonly RecipientResult[];
};

async function tryHost(context: Context, target: Target, recipients: readonly LetterRecipient[]): Promise<HostTry> {
  const started = performance.now();
  const at = new Date(context.deps.clock()).toISOString();
  const { line, failure, results } = await talkToEnd(context, { target, recipients, fresh: false });
  const tls = line?.tls ?? null;
  const said = policyNote(context.routes.sts, target.host, { failure, tls });
  const notes = [failure?.reason ?? line?.note ?? null, said].filter((note) => note !== null);
  return {
    host: target.host,
    ip: target.ip,
    port: portOf(context.config),
    at,
    seconds: secondsSince(started),
    reused: line?.reused ?? false,
    tls,
    outcome: failure === null ? 'talked' : 'failed',
    stage: failure?.stage ?? null,
    reason: notes.length === 0 ? null : notes.join('; '),
    reply: shortReply(failure?.reply ?? null),
    recipients: results.map((result) => ({ ...result, reply: shortReply(result.reply) })),
  };
}

type Asked = { readonly target: Target; readonly recipients: readonly LetterRecipient[]; readonly fresh: boolean };

/** Talks until the host had its say on all: what only the end of a connection left undone is done over another one. */
async function talkToEnd(context: Context, asked: Asked): Promise<Talk> {
  const talk = await talkOnce(context, asked);
  const { line, results } = talk;
  if (line === null || performance.now() >= context.deadline) return talk;
  // A connection used before may have been closed meanwhile: that says nothing of the host.
  const left = line.reused && isStale(results) ? asked.recipients : cutOff(asked.recipients, results);
  if (left.length === 0) return talk;
  const spent = context.held.pop();
  if (spent !== undefined) context.deps.connections.giveBack(spent.line, spent);
  const rest = await talkToEnd(context, { ...asked, recipients: left, fresh: true });
  const done = results.filter(({ forwardPath }) => left.every((recipient) => recipient.forwardPath !== forwardPath));
  return rest.failure !== null && done.length > 0 ? talk : { ...rest, results: [...done, ...rest.results] };
}

/** Those whose turn did not come because the host takes only so many transactions over one connection (RFC 9422). */
function cutOff(
  recipients: readonly LetterRecipient[],
  results: readonly RecipientResult[],
): readonly LetterRecipient[] {
  if (!results.some(({ outcome }) => outcome === 'accepted')) return [];
  const left = new Set(results.filter((result) => isStale([result])).map(({ forwardPath }) => forwardPath));
  return recipients.filter(({ forwardPath }) => left.has(forwardPath));
}

async function talkOnce(context: Context, { target, recipients, fresh }: Asked): Promise<Talk> {
  const { deps, letter, held, dsnPassedOn } = context;
  const obtained = await deps.connections.obtain({ ...(await lineRequest(context, target)), fresh });
  if (obtained.outcome === 'failed') return { line: null, failure: obtained, results: [] };
  const { line } = obtained;
  const limits = limitsOf(context.config.delivery.attemptSeconds);
  const { results, relaysDsn, ...use } = await converse(
    { connection: line, letter, limits, reset: line.needsReset, mailsLeft: line.mailsLeft, deadline: context.deadline },
    recipients,
  );
  held.push({ line, ...use });
  for (const { forwardPath, outcome } of results) if (outcome === 'accepted' && relaysDsn) dsnPassedOn.add(forwardPath);
  return { line, failure: null, results };
}

async function lineRequest(context: Context, { host, ip }: Target): Promise<Omit<LineRequest, 'fresh'>> {
  const { config, deps, routes, deadline } = context;
  const { mode, smarthost, attemptSeconds } = config.delivery;
  const isSmarthost = mode === 'smarthost' && smarthost !== null;
  const password = isSmarthost && smarthost.password !== null ? await deps.secrets.read(smarthost.password) : null;
  return {
    endpoint: { host, ip, port: portOf(config) },
    clientName: config.hostname,
    tls: routes.tls,
    implicitTls: isSmarthost && smarthost.tls === 'implicit',
    login:
      isSmarthost && smarthost.user !== null && password !== null
        ? { user: smarthost.user, password: password.trim() }
        : null,
    limits: limitsOf(attemptSeconds),
    deadline,
  };
}

function portOf({ delivery: { mode, smarthost, port } }: Config): number {
  return mode === 'smarthost' && smarthost !== null ? smarthost.port : port;
}

/** Nothing was sent, and all that came was the end of the connection or its announcement. */
function isStale(results: readonly RecipientResult[]): boolean {
  return results.every(
    ({ outcome, stage, reply }) => outcome === 'untried' || (stage === 'mail' && reply?.code === 421),
  );
}

function shortReply(reply: { code: number; enhanced: string | null; text: string } | null): HostTry['reply'] {
  return reply === null ? null : { code: reply.code, enhanced: reply.enhanced, text: reply.text.slice(0, 500) };
}

function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000;
}
