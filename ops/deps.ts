// What the use cases of ops need.
import type { EventStream } from '#ops/api/event-stream.ts';
import type { ReplayMessage } from '#ops/messages/replay-message.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import type { Activity } from './activity.ts';
import type { MailAdmin, OpsAdmin } from './admin.ts';
import type { Health } from './health.ts';
import type { RetryDelivery } from './retry-delivery.ts';

/** In any world. */
export type MailDeps = {
  readonly admin: MailAdmin;
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'list' | 'put' | 'delete'>;
  readonly clock: Clock;
  readonly retryDelivery: RetryDelivery;
  readonly replayMessage: ReplayMessage;
};

/** If the service runs in this process. */
export type ServiceDeps = MailDeps & {
  readonly admin: OpsAdmin;
  readonly health: () => Health | Promise<Health>;
  /** Prometheus text. */
  readonly metricsText: () => string;
  readonly activity: () => Activity;
  readonly events: EventStream;
};
