// What the deliver stage may touch.
import type { FleetLeases } from '#functions/deliver/destination/fleet-leases.ts';
import type { FetchPolicy } from '#functions/deliver/hosts/fetch-policy.ts';
import type { ConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import type { RunBounds } from '#functions/deliver/smtp/timeouts.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import type {
  Clock,
  Intake,
  JobSender,
  Log,
  Metrics,
  ObjectStore,
  Resolve,
  Secrets,
} from '#pipeline/contract/ports.ts';
import type { WorkerMemory } from './worker-memory.ts';

export type DeliverDeps = RunBounds & {
  readonly store: Pick<ObjectStore, 'get' | 'head' | 'put' | 'delete'>;
  readonly jobs: JobSender;
  readonly intake: Intake;
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  readonly resolve: Resolve;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly newMessageId: (nowMs: number) => MessageId;
  readonly memory: WorkerMemory;
  readonly connections: ConnectionPool;
  readonly fetchPolicy: FetchPolicy;
  /** The share of each destination's connections, if other processes deliver too. */
  readonly leases?: FleetLeases;
  /** 0 to 1. */
  readonly random: () => number;
  /** True if no other process delivers from this store: what a killed process was at is then taken up at once. */
  readonly soleWorker?: boolean;
  /** What is wrong with our own DNS, if it answers nothing at all; null if only a domain's does not. */
  readonly dnsProblem?: () => Promise<string | null>;
};
