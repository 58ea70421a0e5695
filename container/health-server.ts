// `/health` over HTTP, for the load balancer and the container's own check: whether this task should get connections.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { httpBacklog, httpDeadlines, keepRoom } from '#container/limits/connection-room.ts';
import type { ReportingConfigSource } from '#pipeline/config/config-source.ts';
import type { ListenerHealth } from './listener-deps.ts';

/** Load balancers come from a few addresses, many checks from each: no limit by address. */
const maxConnections = 100;

export type HealthServer = { readonly port: number; readonly close: () => Promise<void> };

/** What `/health` answers: 200 if `ok`, 503 otherwise. `problems` are sentences. */
export type HealthReport = ListenerHealth & { readonly ok: boolean; readonly problems: readonly string[] };

/**
 * Not ok while it drains, or if a port does not answer: another task would do better then. A failing store and a broken
 * configuration are problems alone, because every task has the same.
 */
export function reportHealth(health: ListenerHealth, configProblem: string | null): HealthReport {
  const { isDraining, closedPorts, lastStoredAt, lastStoreFailureAt } = health;
  const isFailing = lastStoreFailureAt !== null && (lastStoredAt === null || lastStoredAt < lastStoreFailureAt);
  const problems = [
    ...(isDraining ? ['draining: no new connections'] : closedPorts.map((port) => `port ${port} does not answer`)),
    ...(isFailing ? ['the last message could not be stored'] : []),
    ...health.problems,
    ...(configProblem === null ? [] : [configProblem]),
  ];
  return { ...health, ok: !isDraining && closedPorts.length === 0, problems };
}

/** Whether alarm config-broken is to rise: also if the hash of a user is not where the configuration says. */
export function isConfigBroken({ usersShutOut }: ListenerHealth, configProblem: string | null): boolean {
  return configProblem !== null || usersShutOut > 0;
}

/** Answers `GET /health`; everything else is 404. Rejects if the port is taken. */
export async function startHealthServer({
  host,
  port,
  listener,
  config,
}: {
  readonly host: string;
  readonly port: number;
  readonly listener: { readonly health: () => ListenerHealth };
  readonly config: Pick<ReportingConfigSource, 'problem'>;
}): Promise<HealthServer> {
  const server = createServer(httpDeadlines, (request, response) => {
    request.resume();
    if (request.url !== '/health') {
      response.writeHead(404).end();
      return;
    }
    const report = reportHealth(listener.health(), config.problem());
    response.writeHead(report.ok ? 200 : 503, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(report)}\n`);
  });
  server.setTimeout(httpDeadlines.requestTimeout);
  keepRoom(server, { total: maxConnections, perAddress: maxConnections });
  server.listen({ host, port, backlog: httpBacklog });
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
