// The configuration in force: read again when its file or object changes. A broken edit is reported, and not used.
import { readFile, stat } from 'node:fs/promises';
import { errorMessage } from '#mail/problem.ts';
import type { Clock, Log } from '#pipeline/contract/ports.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import type { Config, ConfigSource } from './config.ts';
import { parseConfig } from './parse-config.ts';

/** A source that can say what is wrong with the newest edit; null while the newest is in force. */
export type ReportingConfigSource = ConfigSource & { readonly problem: () => string | null };

export type Fetched =
  | { readonly changed: false }
  | { readonly changed: true; readonly version: string; readonly text: string };

/** Reads the text, unless the version known so far (null: none) is still the newest. */
export type FetchConfig = (known: string | null) => Promise<Fetched>;

export function fixedConfigSource(config: Config): ReportingConfigSource {
  return { current: async () => config, problem: () => null };
}

type Deps = { readonly clock: Clock; readonly log: Log };

/** A file, looked at again at most five times a second. */
export function fileConfigSource({ path, clock, log }: Deps & { readonly path: string }): ReportingConfigSource {
  const fetch: FetchConfig = async (known) => {
    const { mtimeMs, size, ino } = await stat(path);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (version === known) return { changed: false };
    return { changed: true, version, text: await readFile(path, 'utf8') };
  };
  return polledConfigSource({ where: path, fetch, refreshSeconds: 0.2, clock, log });
}

type Polled = Deps & { readonly where: string; readonly fetch: FetchConfig; readonly refreshSeconds: number };

/** Fetched again if it is older than `refreshSeconds`. Rejects only until the first good configuration. */
export function polledConfigSource({ where, fetch, refreshSeconds, clock, log }: Polled): ReportingConfigSource {
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
      const reason = errorMessage(thrown);
      if (good === null) {
        version = null;
        throw ownFault('config', reason, { cause: thrown });
      }
      problem = reason;
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
