// Deletes what is older than the configuration keeps, and gives the space back to the disk: a little at a time, now and
// then.
import type { Config, ConfigSource } from '#pipeline/config/config.ts';
import type { KeptSince } from '#pipeline/contract/keys.ts';
import type { Clock, Log } from '#pipeline/contract/ports.ts';
import { daysKept } from '#pipeline/contract/retention.ts';
import { errorFields } from '#pipeline/observe/log.ts';

const dayMs = 86_400_000;
const everyMs = 3_600_000;
const pauseMs = 250;

/** Starts it: first after a minute, then every hour. Answers how to stop it. */
export function startRetention(deps: {
  readonly sweep: (before: KeptSince) => Promise<number>;
  /** Answers whether there is more space to give back. */
  readonly shrink: () => Promise<boolean>;
  readonly config: ConfigSource;
  readonly clock: Clock;
  readonly log: Log;
}): () => void {
  let timer: NodeJS.Timeout | undefined;
  const later = (ms: number): void => {
    timer = setTimeout(() => void step(), ms).unref();
  };
  const step = async (): Promise<void> => {
    try {
      const deleted = await deps.sweep(keepSince(await deps.config.current(), deps.clock()));
      if (deleted > 0) deps.log.info('expired-mail-deleted', { objects: deleted });
      const isMore = deleted > 0 || (await deps.shrink());
      later(isMore ? pauseMs : everyMs);
    } catch (error) {
      deps.log.error('expired-mail-not-deleted', errorFields(error));
      later(everyMs);
    }
  };
  later(60_000);
  return () => clearTimeout(timer);
}

/** What is older than these times may go, by folder. */
export function keepSince({ retention, delivery }: Config, nowMs: number): KeptSince {
  const days = daysKept(retention, delivery.expireSeconds);
  const times = Object.entries(days).map(([folder, kept]) => [folder, new Date(nowMs - kept * dayMs).toISOString()]);
  return Object.fromEntries(times);
}
