// What the authenticate stage may touch.
import type { ConfigSource } from '#pipeline/config/config.ts';
import type { Clock, JobSender, Log, Metrics, ObjectStore, Resolve, Secrets } from '#pipeline/contract/ports.ts';
import type { Lane } from './judge-in-lane.ts';
import type { DnsProblem } from './wait-for-dns.ts';

/** All the stage may touch. */
export type AuthenticateDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly jobs: JobSender;
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  readonly resolve: Resolve;
  /** Left out: whatever does not answer is taken for a zone. */
  readonly dnsProblem?: DnsProblem;
  /** Which queue the job came from: how long it may wait for the DNS. */
  readonly lane: Lane;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};
