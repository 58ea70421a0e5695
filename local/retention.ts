// Deletes what is older than the configuration keeps, each hour, and gives space that is free back to the disk, each minute: a little
// at a time.
import type { Config, ConfigSource } from '#pipeline/config/config.ts';
import type { KeptSince } from '#pipeline/contract/keys.ts';
import type { Clock, Log } from '#pipeline/contract/ports.ts';
import { daysKept } from '#pipeline/contract/retention.ts';
import { errorFields } from '#pipeline/observe/log.ts';

const dayMs = 86_400_000;
const sweepEveryMs = 3_600_000;
const everyMs = 60_000;
const pauseMs = 250;

/** Starts it, in a minute. Answers how to stop it. */
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
  let sweptAt = Number.NEGATIVE_INFINITY;
  const step = async (): Promise<void> => {
    try {
      const isMore = (await sweepSome()) || (await deps.shrink());
      later(isMore ? pauseMs : everyMs);
    } catch (error) {
      deps.log.error('expired-mail-not-deleted', errorFields(error));
      later(everyMs);
    }
  };
  const sweepSome = async (): Promise<boolean> => {
    const now = deps.clock();
    if (now < sweptAt + sweepEveryMs) return false;
    sweptAt = now;
    const deleted = await deps.sweep(keepSince(await deps.config.current(), now));
    if (deleted > 0) {
      sweptAt = Number.NEGATIVE_INFINITY;
      deps.log.info('expired-mail-deleted', { objects: deleted });
    }
    return deleted > 0;
  };
  later(everyMs);
  return () => clearTimeout(timer);
}

/** What is older than these times may go, by folder. */
export function keepSince({ retention, delivery }: Config, nowMs: number): KeptSince {
  const days = daysKept(retention, delivery.expireSeconds);
  const times = Object.entries(days).map(([folder, kept]) => [folder, new Date(nowMs - kept * dayMs).toISOString()]);
  return Object.fromEntries(times);
}
