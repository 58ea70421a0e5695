// What the ops API is given: the world's admin side, the store, and how the service says of itself that it is well.
import type { LocalAdmin } from '#local/admin.ts';
import type { Clock, Log, ObjectStore } from '#pipeline/ports.ts';

/** How the service is: `problems` are sentences; `ok` false makes `/health` a 503. `details` is shown as it is. */
export type Health = {
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;
};

/**
 * Makes a waiting delivery due now. `not-found`: there is no such delivery; `not-waiting`: it is done, or has failed
 * for good, or is under way; `reason` says which.
 */
export type RetryDelivery = (request: {
  readonly id: string;
  readonly domain: string;
}) => Promise<
  { readonly outcome: 'queued' | 'not-found' } | { readonly outcome: 'not-waiting'; readonly reason: string }
>;

/** See the file's head. `token`: needed from every request where it is given, and must be given off loopback. */
export type OpsDeps = {
  readonly admin: LocalAdmin;
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'list' | 'delete'>;
  readonly retryDelivery: RetryDelivery;
  readonly health: () => Health | Promise<Health>;
  /** Prometheus text. */
  readonly metricsText: () => string;
  readonly log: Log;
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  readonly token?: string | undefined;
};
