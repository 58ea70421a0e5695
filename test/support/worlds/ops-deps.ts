// What an ops API is started with in tests: a world in memory, a free port on loopback, a clock that stands.
import type { OpsApiDeps } from '#local/http/start-ops-api.ts';
import { createEventStream } from '#ops/api/event-stream.ts';
import type { ServiceDeps } from '#ops/deps.ts';
import { createMessageWaiters } from '#ops/messages/message-waiters.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { type SampleWorld, sampleId } from '#test/support/samples/sample-message.ts';

/** All that `startOpsApi` takes; `changes` replace what is named there. */
export function opsDeps(world: SampleWorld, changes: Partial<OpsApiDeps> = {}): OpsApiDeps {
  return {
    admin: world.admin,
    store: world.store,
    retryDelivery: async ({ domain }) =>
      domain === 'done.example' ? { outcome: 'not-waiting', reason: 'it was delivered' } : { outcome: 'queued' },
    replayMessage: async ({ id, to }) =>
      to === null
        ? { outcome: 'queued', id, recipients: ['ann@a.example'], leftOut: [] }
        : { outcome: 'refused', reason: 'it leads to no mailbox here' },
    releases: {
      rules: async () => ({ to: ['*@far.example'], reversePath: null }),
      release: async ({ to }) =>
        to.some(({ domain }) => domain !== 'far.example')
          ? { outcome: 'not-allowed', reason: 'release.to in the configuration does not allow it' }
          : {
              outcome: 'queued',
              id: sampleId(8),
              to: ['ann@far.example'],
              domains: ['far.example'],
              reversePath: '',
              failed: [],
            },
    },
    acceptMessage: async ({ id }) =>
      id === sampleId(7) ? { outcome: 'gone' } : { outcome: 'queued', mailboxes: ['ann@a.example'] },
    submit: async () => ({ outcome: 'accepted', id: sampleId(7) }),
    health: () => ({ ok: true, mode: 'capture', problems: [], details: { version: 1 } }),
    metricsText: () => 'pillarbox_messages_total 1',
    metrics: noMetrics(),
    chaos: {
      now: async () => ({ isPossible: true, settings: null }),
      set: () => {},
      isSet: () => false,
      recent: () => [],
      of: () => [],
    },
    activity: () => ({ since: '2025-11-21T03:00:00.000Z', minutes: [], hours: [] }),
    log: silentLog(),
    clock: () => Date.parse('2025-11-21T04:00:00.000Z'),
    host: '127.0.0.1',
    port: 0,
    ...changes,
  };
}

const sampleSupport = { clients: ['Old Mail, Windows'], features: { 'html-marquee': ['<marquee>', 'n'] } } as const;

/** All that the routes of a running service take. */
export function serviceDeps(world: SampleWorld): ServiceDeps {
  const deps = opsDeps(world);
  return {
    ...deps,
    events: createEventStream(deps),
    waiters: createMessageWaiters(deps),
    clientSupport: sampleSupport,
  };
}
