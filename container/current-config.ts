// The configuration for what cannot wait for a promise: a new connection, and the sessions that are open when it changes.
import type { Config } from '#pipeline/config/config.ts';
import type { ListenerDeps } from './listener-deps.ts';

const lookEveryMs = 250; // the source says how often it really looks

/** The configuration last seen, kept up to date until `stop`. */
export type CurrentConfig = { readonly current: () => Config; readonly stop: () => void };

/** Begins with `first`; `changed` is called behind each change. */
export function keepConfig(
  { config: source, log }: Pick<ListenerDeps, 'config' | 'log'>,
  first: Config,
  changed: () => void,
): CurrentConfig {
  let config = first;
  const look = async (): Promise<void> => {
    const next = await source.current();
    if (next === config) return;
    config = next;
    changed();
  };
  const timer = setInterval(() => {
    look().catch((error: unknown) => log.error('config-unreadable', { error: String(error) }));
  }, lookEveryMs);
  timer.unref();
  return { current: () => config, stop: () => clearInterval(timer) };
}
