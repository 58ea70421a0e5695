// The configuration in force: read again when its file or object changes. A broken edit is reported, and not used. A process that
// starts while the newest is broken uses a copy of the last good one, if one is kept.
import { readFile, stat } from 'node:fs/promises';
import { errorMessage, isProblem, type Problem } from '#mail/problem.ts';
import type { Clock, Log } from '#pipeline/contract/ports.ts';
import type { BackOff } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { waitSeconds } from '#pipeline/run/judge-failure.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import type { Config, ConfigSource } from './config.ts';
import { parseConfig } from './parse-config.ts';

/** A source that can say what is wrong with the newest edit; null while the newest is in force. */
export type ReportingConfigSource = ConfigSource & { readonly problem: () => string | null };

/** `text` is a Problem if there is a newer text that must not be read. */
export type Fetched =
  | { readonly changed: false }
  | {
      readonly changed: true;
      readonly version: string;
      readonly text: string | Problem;
      /** ISO 8601, where it is known. */
      readonly modifiedAt?: string;
    };

/** Reads the text, unless the version known so far (null: none) is still the newest. */
export type FetchConfig = (known: string | null) => Promise<Fetched>;

/** A copy of the last good configuration, for processes that start while the newest is broken. */
export type LastGood = {
  /** Rejects if there is none. */
  readonly read: () => Promise<string>;
  /**
   * Keeps this text as the copy, and its version in the history. Left out by those that only read the copy. Rejects if any of it
   * could not be written; called again, it writes what is missing.
   */
  readonly keep?: (text: string, of: KeptVersion) => Promise<void>;
};

/** `modifiedAt`: ISO 8601; null: unknown. */
export type KeptVersion = { readonly version: string; readonly modifiedAt: string | null };

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

type Polled = Deps & {
  /** How problems name the configuration. */
  readonly where: string;
  readonly fetch: FetchConfig;
  readonly refreshSeconds: number;
  readonly lastGood?: LastGood;
  /** What to tell of a configuration that is in force all the same, as a sentence; null if nothing. */
  readonly review?: (text: string, config: Config) => string | null;
};

type Newest = KeptVersion & {
  readonly text: string | null;
  readonly config: Config | Problem;
  /** Of the review, made once for each text: it takes a while for a large one. */
  readonly remark: string | null;
};

/**
 * Fetched again if it is older than `refreshSeconds`. Rejects with an own fault only while neither the newest nor the copy was ever
 * good.
 */
export function polledConfigSource(options: Polled): ReportingConfigSource {
  const { where, fetch, refreshSeconds, clock, log } = options;
  const copy = copyOf(options);
  let newest: Newest | null = null;
  let good: Config | null = null;
  let problem: string | null = null;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<Config> | null = null;

  const readNewest = async (): Promise<Config> => {
    const fetched = await fetch(newest?.version ?? null);
    if (fetched.changed) newest = readFetched(fetched, options);
    if (newest === null) throw new Error(`${where}: no configuration`);
    if (isProblem(newest.config)) throw new Error(newest.config.problem);
    return newest.config;
  };

  const refresh = async (): Promise<Config> => {
    try {
      good = await readNewest();
      const remark = newest?.remark ?? null;
      if (remark !== null && remark !== problem) log.warn('config-not-as-deployed', { where, problem: remark });
      problem = remark;
      if (newest !== null) await copy.keep(newest.text ?? '', newest);
    } catch (thrown) {
      good ??= await copy.read(thrown);
      const reason = errorMessage(thrown);
      if (reason !== problem) {
        log.error('config-not-usable', { where, keeps: 'the last good configuration', ...errorFields(thrown) });
      }
      problem = reason;
    }
    checkedAt = clock();
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

function readFetched(
  { version, modifiedAt, text }: Extract<Fetched, { readonly changed: true }>,
  { where, review }: Pick<Polled, 'where' | 'review'>,
): Newest {
  const of = { version, modifiedAt: modifiedAt ?? null };
  if (isProblem(text)) return { ...of, text: null, config: text, remark: null };
  const config = configOrProblem(text, where);
  return { ...of, text, config, remark: isProblem(config) ? null : (review?.(text, config) ?? null) };
}

/** How soon a version that could not be kept is tried again; a right that is missing is not granted for days. */
const keepAgain: BackOff = { firstSeconds: 5, longestSeconds: 3_600 };

/**
 * The copy of the last good one, where there is one. A version that could not be kept is tried again ever more seldom, and a newer
 * one at once; the log has only that keeping began to fail, and that it succeeds again.
 */
function copyOf({ where, lastGood, clock, log }: Pick<Polled, 'where' | 'lastGood' | 'clock' | 'log'>) {
  let tried: string | null = null;
  let failures = 0;
  let againAt = Number.POSITIVE_INFINITY;
  return {
    keep: async (text: string, of: KeptVersion): Promise<void> => {
      if (lastGood?.keep === undefined || (of.version === tried && clock() < againAt)) return;
      tried = of.version;
      try {
        await lastGood.keep(text, of);
        if (failures > 0) log.info('config-kept-again', { where });
        failures = 0;
        againAt = Number.POSITIVE_INFINITY;
      } catch (thrown) {
        if (failures === 0) log.warn('config-not-kept', { where, ...errorFields(thrown) });
        againAt = clock() + waitSeconds(keepAgain, failures, 0) * 1_000;
        failures += 1;
      }
    },
    /** Throws an own fault that tells the cause if there is no good copy. */
    read: async (cause: unknown): Promise<Config> => {
      const text = await lastGood?.read().catch(() => undefined);
      const config = text === undefined ? null : configOrProblem(text, where);
      if (config === null || isProblem(config)) throw ownFault('config', errorMessage(cause), { cause });
      return config;
    },
  };
}

function configOrProblem(text: string, where: string): Config | Problem {
  try {
    return parseConfig(text, where);
  } catch (thrown) {
    return { problem: errorMessage(thrown) };
  }
}
