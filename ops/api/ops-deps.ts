// What the ops API is given: the world's admin side, the store, and how the service says of itself that it is well.
import type { OpsAdmin } from '#ops/admin.ts';
import type { Clock, Log, Metrics } from '#pipeline/contract/ports.ts';
import type { Activity } from './activity.ts';
import type { MailRouteDeps } from './routes.ts';

/** How the service is: `problems` are sentences; `ok` false makes `/health` a 503. `details` is shown as it is. */
export type Health = {
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;
};

/** See the file's head. `token`: needed from every request where it is given, and must be given off loopback. */
export type OpsDeps = MailRouteDeps & {
  readonly admin: OpsAdmin;
  readonly health: () => Health | Promise<Health>;
  /** Prometheus text. */
  readonly metricsText: () => string;
  readonly metrics: Pick<Metrics, 'count'>;
  readonly activity: () => Activity;
  readonly log: Log;
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  readonly token?: string | undefined;
};
