// A deliver stage with fakes around it: a store and a queue in memory, a zone, a set clock, real sockets.
import { createHash } from 'node:crypto';
import { type DeliverOutcome, deliver } from '#functions/deliver/deliver.ts';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import type { FetchPolicy } from '#functions/deliver/hosts/fetch-policy.ts';
import { createConnectionPool, type PoolOptions } from '#functions/deliver/smtp/connection-pool.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import { type MessageId, messageIdFactory } from '#mail/header/message-id.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import type { DeliverJob, ReceivedJob } from '#pipeline/contract/jobs.ts';
import { deliveryKey, rawKey } from '#pipeline/contract/keys.ts';
import type { Intake, Log } from '#pipeline/contract/ports.ts';
import type { DeliveryState } from '#pipeline/contract/records/delivery.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { createMemoryJobs, type MemoryJobs } from '#test/support/fakes/memory-jobs.ts';
import { createMemoryStore, type MemoryStore } from '#test/support/fakes/memory-store.ts';
import { type SetClock, setClock } from '#test/support/fakes/set-clock.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { type Flat, nested } from '#test/support/samples/sample-jobs.ts';

export type Bounce = { readonly job: ReceivedJob; readonly text: string };
export type Fact = { readonly level: string; readonly event: string; readonly fields: any };

export type DeliveryWorld = {
  readonly deps: DeliverDeps;
  readonly store: MemoryStore;
  readonly jobs: MemoryJobs;
  readonly clock: SetClock;
  readonly bounces: Bounce[];
  readonly facts: Fact[];
  readonly counts: Map<string, number>;
  /** Stores a message and makes its job. */
  readonly job: (
    given?: Partial<Flat<DeliverJob>> & { readonly message?: string | Uint8Array; readonly to?: readonly string[] },
  ) => DeliverJob;
  readonly run: (job: DeliverJob, receiveCount?: number) => Promise<DeliverOutcome>;
  readonly state: (job: DeliverJob) => DeliveryState;
  /** Takes the job that was sent last, moves the clock to when it is due, and runs it. */
  readonly runNext: () => Promise<DeliverOutcome>;
  readonly close: () => Promise<void>;
};

export const plainMessage =
  'Received: from app by mx.pillarbox.example; Sat, 21 Nov 2026 12:00:00 +0000\r\nFrom: <a@sender.example>\r\n' +
  'To: <b@far.example>\r\nSubject: hello\r\nMessage-ID: <1@sender.example>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nHello.\r\n';

/** All domains in the zone are ours to make up; `far.example` is at 127.0.0.1 unless the zone says otherwise. */
export function deliveryWorld(
  given: {
    readonly port?: number;
    readonly zone?: Zone;
    readonly config?: ConfigInput;
    readonly connections?: PoolOptions;
    readonly fetchPolicy?: FetchPolicy;
    readonly finalReplySeconds?: number;
    readonly secrets?: Readonly<Record<string, string>>;
  } = {},
): DeliveryWorld {
  const clock = setClock();
  const store = createMemoryStore(clock);
  const jobs = createMemoryJobs();
  const bounces: Bounce[] = [];
  const facts: Fact[] = [];
  const counts = new Map<string, number>();
  const log =
    (level: string) =>
    (event: string, fields = {}) =>
      void facts.push({ level, event, fields });
  const config = fixedConfig({
    hostname: 'mx.pillarbox.example',
    domains: { 'sender.example': { mailboxes: ['a'] } },
    ...given.config,
    delivery: {
      allowPrivateTargets: true,
      attemptSeconds: 4,
      ...(given.port ? { port: given.port } : {}),
      ...given.config?.delivery,
    },
  });
  const newMessageId = messageIdFactory();
  const connections = createConnectionPool(given.connections);
  const deps: DeliverDeps = {
    store,
    jobs,
    intake: memoryIntake(store, bounces),
    config,
    secrets: {
      read: async (reference) => {
        const secret = given.secrets?.[reference];
        if (secret === undefined) throw new Error(`no secret ${reference}`);
        return secret;
      },
    },
    resolve: zoneResolver(given.zone ?? { 'far.example': { A: ['127.0.0.1'] } }),
    clock,
    log: { info: log('info'), warn: log('warn'), error: log('error') } satisfies Log,
    metrics: {
      count: (name, _labels, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
      measure: () => {},
    },
    newMessageId,
    connections,
    memory: createWorkerMemory(),
    fetchPolicy: given.fetchPolicy ?? (async () => ({ outcome: 'failed', reason: 'there is none' })),
    finalReplyMs: (given.finalReplySeconds ?? 2) * 1_000,
    random: () => 0.5,
    soleWorker: true,
  };
  const run = (job: DeliverJob, receiveCount = 1) => deliver(deps, job, { receiveCount });
  return {
    deps,
    store,
    jobs,
    clock,
    bounces,
    facts,
    counts,
    job: ({ message = plainMessage, to = ['b@far.example'], ...rest } = {}) =>
      makeJob(store, newMessageId(clock()), { message, to, at: clock.iso(), rest }),
    run,
    state: (job) => store.json(deliveryKey(job)),
    runNext: async () => {
      const last = jobs.sent.filter((sent) => sent.queue === 'deliver').at(-1);
      if (last === undefined) throw new Error('nothing was queued');
      clock.set(Math.max(clock(), Date.parse(last.options.notBefore ?? '')));
      return run(last.job);
    },
    close: connections.close,
  };
}

function makeJob(
  store: MemoryStore,
  id: MessageId,
  {
    message,
    to,
    at,
    rest,
  }: { message: string | Uint8Array; to: readonly string[]; at: string; rest: Partial<Flat<DeliverJob>> },
): DeliverJob {
  const key = rawKey({ id, receivedAt: at });
  store.seed(key, message);
  const bytes = store.bytes(key);
  return nested<DeliverJob>({
    version: 2,
    id,
    receivedAt: at,
    raw: { key, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
    session: {
      role: 'submission',
      clientIp: '127.0.0.1',
      clientName: null,
      helo: 'app',
      tls: null,
      user: 'a@sender.example',
    },
    reversePath: 'a@sender.example',
    domain: to[0]!.split('@')[1]!,
    recipients: to.map((forwardPath) => ({
      forwardPath,
      dsn: { notify: null, orcpt: null },
      originalForwardPath: null,
    })),
    signingDomain: null,
    attempt: 1,
    firstAttemptAt: null,
    expiresAt: new Date(Date.parse(at) + 432_000_000).toISOString(),
    ...rest,
  });
}

function memoryIntake(store: MemoryStore, bounces: Bounce[]): Intake {
  return {
    open: ({ key }) => {
      const pieces: Uint8Array[] = [];
      return {
        write: (chunk) => void pieces.push(chunk),
        commit: async (job) => {
          const put = await store.put({
            key,
            body: Buffer.concat(pieces),
            contentType: 'message/rfc822',
            condition: { ifAbsent: true },
          });
          if (put.outcome === 'conflict') throw new Error(`there is one already: ${key}`);
          bounces.push({ job, text: store.text(key) });
        },
        abort: async () => {},
      };
    },
  };
}
