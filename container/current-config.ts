// The configuration of the listener: one for all sessions, for those that can wait for the newest and those that cannot.
import type { Config } from '#pipeline/config/config.ts';
import type { ListenerDeps } from './listener-deps.ts';

const lookEveryMs = 250; // the source says how often it really looks

export type CurrentConfig = {
  readonly current: () => Config;
  /** Asks the source first; what it says is `current` from then on. Rejects if the source does. */
  readonly latest: () => Promise<Config>;
  readonly stop: () => void;
};

/** Begins with `first`; `changed` is called after each change. */
export function keepConfig(
  { config: source, log }: Pick<ListenerDeps, 'config' | 'log'>,
  first: Config,
  changed: () => void,
): CurrentConfig {
  let config = first;
  const latest = async (): Promise<Config> => {
    const next = await source.current();
    if (next === config) return next;
    config = next;
    changed();
    return next;
  };
  const timer = setInterval(() => {
    latest().catch((error: unknown) => log.error('config-unreadable', { error: String(error) }));
  }, lookEveryMs);
  timer.unref();
  return { current: () => config, latest, stop: () => clearInterval(timer) };
}
