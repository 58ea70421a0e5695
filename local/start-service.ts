// The service in a world: the listener in front, the ops API and its page beside it.
import type { Chaos } from '#container/chaos/chaos.ts';
import { type Listener, startListener } from '#container/listener.ts';
import type { ListenerDeps } from '#container/listener-deps.ts';
import { startOpsApi } from '#local/http/start-ops-api.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import { watchActivity } from '#ops/activity.ts';
import type { QueueCounts } from '#ops/admin.ts';
import type { ChaosControl } from '#ops/chaos.ts';
import type { LogLine } from '#ops/deps.ts';
import type { Health } from '#ops/health.ts';
import { createReplayMessage } from '#ops/messages/replay-message.ts';
import { createAcceptMessage } from '#ops/releases/accept-message.ts';
import { createReleases } from '#ops/releases/send-release.ts';
import { createRetryDelivery } from '#ops/retry-delivery.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { ReportingConfigSource } from '#pipeline/config/config-source.ts';
import { smarthostDestination } from '#pipeline/contract/keys.ts';
import type { Clock, Log, Secrets } from '#pipeline/contract/ports.ts';
import { readBackedOff } from '#pipeline/contract/records/back-off.ts';
import { readBlockedPort } from '#pipeline/contract/records/blocked-port.ts';
import { suppressionLookup } from '#pipeline/contract/records/suppression-lookup.ts';
import type { MetricsRegistry } from '#pipeline/observe/metrics.ts';
import { startKeepingNewest } from './keep-newest.ts';
import { startTaggingCaptured } from './tag-captured.ts';
import type { LocalWorld } from './world.ts';

export type ServiceDeps = {
  readonly world: LocalWorld;
  readonly config: ReportingConfigSource;
  readonly secrets: Secrets;
  readonly certificate: ListenerDeps['certificate'];
  readonly replaceHash?: NonNullable<ListenerDeps['replaceHash']>;
  readonly reverseName: (ip: string) => Promise<string | null>;
  /** The SMTP ports to open. */
  readonly listeners: Config['listeners'];
  readonly anyLogin: boolean;
  readonly http: { readonly host: string; readonly port: number; readonly token: string | undefined };
  readonly newMessageId: (nowMs: number) => MessageId;
  readonly chaos: Chaos;
  /** How hooks were called for a message. */
  readonly hookLines: (id: MessageId) => readonly LogLine[];
  /** How many messages each mailbox keeps; null: as it is configured. */
  readonly keep: number | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
};

/** The running service: where it listens, and how to end it. */
export type Service = {
  readonly listeners: Listener['addresses'];
  readonly ops: { readonly host: string; readonly port: number };
  readonly close: (graceSeconds: number) => Promise<void>;
};

/** Starts listener and ops API over a running world. Rejects where a port is taken. */
export async function startService(deps: ServiceDeps): Promise<Service> {
  const { world, config, secrets, clock, log, metrics, http } = deps;
  const { store, jobs, admin } = world;
  const startedAt = clock();
  const srsSecret = async () => secrets.read((await config.current()).srsSecret ?? 'secret:srs');
  const listener = await startListener({
    ...deps,
    intake: world.intake,
    suppressions: suppressionLookup(store, clock),
    onCertificateDays: (days) => metrics.measure('certificate-days-left', days),
    srsSecret,
  });
  const activity = watchActivity(metrics, clock);
  const stopKeeping = startKeepingNewest({ ...deps, admin, store });
  const stopTagging = startTaggingCaptured({ ...deps, admin, store });
  const ops = await startOpsApi({
    ...http,
    admin,
    store,
    retryDelivery: createRetryDelivery({ store, jobs, clock }),
    submit: listener.submit,
    replayMessage: createReplayMessage({ ...deps, ...world, srsSecret }),
    releases: createReleases({ ...deps, ...world }),
    acceptMessage: createAcceptMessage({ ...world, clock }),
    health: () => healthOf(deps, listener, startedAt),
    metricsText: metrics.text,
    metrics,
    activity: activity.recent,
    chaos: chaosControl(deps),
    hookLines: deps.hookLines,
    log,
    clock,
  }).catch(async (error: unknown) => {
    stopKeeping();
    stopTagging();
    await listener.close(0);
    throw error;
  });
  return {
    listeners: listener.addresses,
    ops: ops.address,
    close: async (graceSeconds) => {
      await listener.close(graceSeconds);
      activity.stop();
      stopKeeping();
      stopTagging();
      await ops.close();
    },
  };
}

function chaosControl({ chaos, config }: Pick<ServiceDeps, 'chaos' | 'config'>): ChaosControl {
  return {
    ...chaos,
    now: async () => {
      const inForce = await config.current();
      return { isPossible: inForce.mode === 'capture', settings: chaos.inForce(inForce) };
    },
  };
}

async function healthOf({ world, config, clock }: ServiceDeps, listener: Listener, startedAt: number): Promise<Health> {
  const health = listener.health();
  const queues = await world.admin.queues();
  const { mode, delivery } = await config.current();
  const problems = [
    isFailing(health) ? 'messages cannot be stored: see the log (store-failed)' : null,
    ...world.problems(),
    ...health.problems,
    ...queues.flatMap(({ name, faults }) => faults.map((one) => shownFault(name, one))),
    ...(await noWayOut({ store: world.store, clock }, delivery)),
    ...queues.map(({ name, dead }) => (dead > 0 ? `queue ${name} has dead letters: ${dead}` : null)),
    config.problem(),
  ];
  return {
    ok: !isFailing(health) && !health.isDraining,
    problems: problems.filter((problem) => problem !== null),
    mode,
    details: {
      uptimeSeconds: Math.floor((clock() - startedAt) / 1_000),
      listeners: listener.addresses,
      listener: health,
      queues,
      ...(await world.details()),
    },
  };
}

/** The last attempt to store something failed. */
function isFailing({ lastStoredAt, lastStoreFailureAt }: ReturnType<Listener['health']>): boolean {
  return lastStoreFailureAt !== null && (lastStoredAt === null || lastStoreFailureAt > lastStoredAt);
}

/** Why mail that goes out has to wait, whatever its destination. */
async function noWayOut(
  deps: Parameters<typeof readBlockedPort>[0],
  { mode, smarthost }: Config['delivery'],
): Promise<readonly (string | null)[]> {
  const blocked = await readBlockedPort(deps);
  const relay = mode === 'smarthost' ? smarthost : null;
  const backedOff = relay && (await readBackedOff(deps, smarthostDestination(relay.host)));
  return [
    blocked &&
      `the network lets no mail out (port ${blocked.port}) since ${blocked.since}: no answer from ${blocked.hosts.join(', ')}; mail waits`,
    backedOff && `the smarthost takes no mail, so it waits until ${backedOff.until}: ${backedOff.reason}`,
  ];
}

function shownFault(queue: string, { reason, jobs, retryAt }: QueueCounts['faults'][number]): string {
  return `${jobs} ${jobs === 1 ? 'job' : 'jobs'} of queue ${queue} wait until this is mended: ${reason} (tried again at ${retryAt})`;
}
