// `/health` over HTTP, for the load balancer and the container's own check: whether this task should get connections.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { httpBacklog, httpDeadlines, keepRoom } from '#container/limits/connection-room.ts';
import type { ReportingConfigSource } from '#pipeline/config/config-source.ts';
import type { Clock } from '#pipeline/contract/ports.ts';
import type { ListenerHealth } from './listener-deps.ts';

/** A store failure counts for so long: then connections may come and try again. */
const failureCountsMs = 60_000;

/** Load balancers come from a few addresses, many checks from each: no limit by address. */
const maxConnections = 100;

export type HealthServer = { readonly port: number; readonly close: () => Promise<void> };

/** What `/health` answers: 200 if `ok`, 503 otherwise. `problems` are sentences. */
export type HealthReport = ListenerHealth & { readonly ok: boolean; readonly problems: readonly string[] };

/** Not ok while it drains, and for a minute after a message could not be stored. A broken configuration is a problem alone. */
export function reportHealth(health: ListenerHealth, configProblem: string | null, nowMs: number): HealthReport {
  const { lastStoredAt, lastStoreFailureAt } = health;
  const failedAt = lastStoreFailureAt === null ? null : Date.parse(lastStoreFailureAt);
  const isStoring = lastStoredAt !== null && failedAt !== null && Date.parse(lastStoredAt) > failedAt;
  const isFailing = failedAt !== null && !isStoring && nowMs - failedAt < failureCountsMs;
  const problems = [
    ...(health.isDraining ? ['draining: no new connections'] : []),
    ...(isFailing ? ['the last message could not be stored'] : []),
    ...health.problems,
    ...(configProblem === null ? [] : [configProblem]),
  ];
  return { ...health, ok: !health.isDraining && !isFailing, problems };
}

/** Answers `GET /health`; everything else is 404. Rejects if the port is taken. */
export async function startHealthServer({
  host,
  port,
  listener,
  config,
  clock,
}: {
  readonly host: string;
  readonly port: number;
  readonly listener: { readonly health: () => ListenerHealth };
  readonly config: Pick<ReportingConfigSource, 'problem'>;
  readonly clock: Clock;
}): Promise<HealthServer> {
  const server = createServer(httpDeadlines, (request, response) => {
    request.resume();
    if (request.url !== '/health') {
      response.writeHead(404).end();
      return;
    }
    const report = reportHealth(listener.health(), config.problem(), clock());
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
