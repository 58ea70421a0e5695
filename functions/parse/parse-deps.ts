// What the parse stage may touch.
import type { Parser } from '#functions/parse/worker/parser.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import type { Announce } from '#pipeline/contract/mail-event.ts';
import type { Clock, JobSender, Log, Metrics, ObjectStore } from '#pipeline/contract/ports.ts';

export type ParseDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put' | 'list' | 'delete'>;
  readonly config: ConfigSource;
  readonly parser: Pick<Parser, 'parse'>;
  /** Who is told of each JSON that is stored; left out: nobody. */
  readonly announce?: Announce;
  readonly jobs: JobSender;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};
