// The configuration in force: read again when its file or object changes. A broken edit keeps the last good one and is
// reported; only at the first read does it throw.
import { readFile, stat } from 'node:fs/promises';
import type { Clock, Log } from '#pipeline/contract/ports.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import type { Config, ConfigSource } from './config.ts';
import { parseConfig } from './parse-config.ts';

export { parseConfig } from './parse-config.ts';

/** A source that can say what is wrong with the newest edit; null while the newest is in force. */
export type ReportingConfigSource = ConfigSource & { readonly problem: () => string | null };

/** What reading again found: the same version as before, or another. */
export type Fetched =
  | { readonly changed: false }
  | { readonly changed: true; readonly version: string; readonly text: string };

/** Reads the text, unless the version known so far (null: none) is still the newest. */
export type FetchConfig = (known: string | null) => Promise<Fetched>;

/** A source whose configuration never changes. */
export function fixedConfigSource(config: Config): ReportingConfigSource {
  return { current: async () => config, problem: () => null };
}

/** A source that is a file; looked at again when asked, at most five times a second. */
export function fileConfigSource({
  path,
  clock,
  log,
}: {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}): ReportingConfigSource {
  const fetch: FetchConfig = async (known) => {
    const { mtimeMs, size, ino } = await stat(path);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (version === known) return { changed: false };
    return { changed: true, version, text: await readFile(path, 'utf8') };
  };
  return polledConfigSource({ where: path, fetch, refreshSeconds: 0.2, clock, log });
}

/**
 * A source that is asked again when what is known is older than `refreshSeconds`. Throws only while no configuration was ever good.
 */
export function polledConfigSource({
  where,
  fetch,
  refreshSeconds,
  clock,
  log,
}: {
  readonly where: string;
  readonly fetch: FetchConfig;
  readonly refreshSeconds: number;
  readonly clock: Clock;
  readonly log: Log;
}): ReportingConfigSource {
  let good: Config | null = null;
  let version: string | null = null;
  let problem: string | null = null;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<Config> | null = null;

  const refresh = async (): Promise<Config> => {
    try {
      const fetched = await fetch(version);
      if (fetched.changed) {
        version = fetched.version;
        good = parseConfig(fetched.text, where);
        problem = null;
      }
    } catch (thrown) {
      if (good === null) {
        version = null;
        const why = thrown instanceof Error ? thrown.message : String(thrown);
        throw ownFault('config', why, { cause: thrown });
      }
      problem = thrown instanceof Error ? thrown.message : String(thrown);
      log.error('config-not-usable', { where, keeps: 'the last good configuration', ...errorFields(thrown) });
    }
    checkedAt = clock();
    if (good === null) throw new Error(`${where}: no configuration`);
    return good;
  };

  const current = (): Promise<Config> => {
    if (good !== null && clock() - checkedAt < refreshSeconds * 1_000) return Promise.resolve(good);
    running ??= refresh().finally(() => {
      running = null;
    });
    return running;
  };
  return { current, problem: () => problem };
}
