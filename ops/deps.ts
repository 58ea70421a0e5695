// What the use cases of ops need.
import type { MessageId } from '#mail/header/message-id.ts';
import type { EventStream } from '#ops/api/event-stream.ts';
import type { ClientSupport } from '#ops/content/client-report.ts';
import type { MessageWaiters } from '#ops/messages/message-waiters.ts';
import type { ReplayMessage } from '#ops/messages/replay-message.ts';
import type { AcceptMessage } from '#ops/releases/accept-message.ts';
import type { Releases } from '#ops/releases/release-message.ts';
import type { Submit } from '#ops/send/send-message.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import type { Activity } from './activity.ts';
import type { MailAdmin, OpsAdmin } from './admin.ts';
import type { ChaosControl } from './chaos.ts';
import type { Health } from './health.ts';
import type { RetryDelivery } from './retry-delivery.ts';

/** A line of the log, and when it was written (ISO 8601). */
export type LogLine = { readonly at: string; readonly message: string };

/** The lines about a message, the earliest first; `note`: why there may be more, null if these are all. It does not throw. */
export type FindLogLines = (
  id: MessageId,
) => Promise<{ readonly lines: readonly LogLine[]; readonly note: string | null }>;

/** In any world. */
export type MailDeps = {
  readonly admin: MailAdmin;
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'list' | 'put' | 'delete'>;
  readonly clock: Clock;
  readonly retryDelivery: RetryDelivery;
  readonly replayMessage: ReplayMessage;
  readonly releases: Releases;
  readonly acceptMessage: AcceptMessage;
  /** Where the log is kept, and can be searched: on AWS. */
  readonly findLogLines?: FindLogLines;
  /** How hooks were called for a message, where the log cannot be searched: since the service started. */
  readonly hookLines?: (id: MessageId) => readonly LogLine[];
  /** Faults on purpose, if the listener is in this process. */
  readonly chaos?: Pick<ChaosControl, 'of'>;
};

/** If the service runs in this process. */
export type ServiceDeps = MailDeps & {
  readonly admin: OpsAdmin;
  readonly chaos: ChaosControl;
  readonly health: () => Health | Promise<Health>;
  /** Prometheus text. */
  readonly metricsText: () => string;
  readonly activity: () => Activity;
  readonly events: EventStream;
  readonly waiters: MessageWaiters;
  readonly submit: Submit;
  /** What mail programs support. */
  readonly clientSupport: ClientSupport;
};
