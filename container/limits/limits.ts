// What one address, one user and all together may do: connections at once, messages a minute. Tables are bounded.
import { LRUCache } from 'lru-cache';
import type { Peer } from '#mail/address/peer-address.ts';
import type { Config } from '#pipeline/config/config.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { boundedTable } from '#pipeline/run/bounded-table.ts';

/** Size of a table whose keys others choose. */
export const trackedKeys = boundedTable(50_000);
const defaults = configSchema.parse({}).limits;

/** Limits that a client on this machine is held to only if somebody set them: the defaults are for other machines. */
type RemoteLimit =
  | 'connectionsPerIp'
  | 'messagesPerMinutePerIp'
  | 'messagesPerMinutePerUser'
  | 'recipientsPerMinutePerUser'
  | 'authFailuresPerUser'
  | 'transactionsPerConnection';

/** The limit that holds for a peer. */
export function limitFor(limits: Config['limits'], name: RemoteLimit, { isLoopback }: Peer): number {
  return isLoopback && limits[name] === defaults[name] ? Number.POSITIVE_INFINITY : limits[name];
}

export type ConnectionCounts = {
  /** Takes a place, or says which limit is reached. `release` gives it back, once however often it is called. */
  readonly take: (
    group: string,
    limits: { readonly perGroup: number; readonly total: number },
  ) => { readonly outcome: 'taken'; readonly release: () => void } | { readonly outcome: 'total' | 'group' };
  readonly total: () => number;
};

/** Counts what is open by key; a key is forgotten when its count is zero. */
export function createConnectionCounts(): ConnectionCounts {
  const open = new Map<string, number>();
  let total = 0;
  return {
    take(group, limits) {
      const count = open.get(group) ?? 0;
      if (total >= limits.total) return { outcome: 'total' };
      if (count >= limits.perGroup) return { outcome: 'group' };
      open.set(group, count + 1);
      total += 1;
      let isReleased = false;
      const release = () => {
        if (isReleased) return;
        isReleased = true;
        total -= 1;
        const left = (open.get(group) ?? 1) - 1;
        if (left === 0) open.delete(group);
        else open.set(group, left);
      };
      return { outcome: 'taken', release };
    },
    total: () => total,
  };
}

export type Rate = {
  /** Takes one and answers 0; if none is left, the seconds until one is (whole ones, at least 1). */
  readonly take: (key: string, perMinute: number) => number;
};

/** Token buckets by key, each holding what a minute allows; full at first. `now`: milliseconds of a clock that never goes back. */
export function createRate(now: () => number): Rate {
  const buckets = new LRUCache<string, { readonly tokens: number; readonly at: number }>(trackedKeys);
  return {
    take(key, perMinute) {
      if (perMinute === Number.POSITIVE_INFINITY) return 0;
      const at = now();
      const bucket = buckets.get(key) ?? { tokens: perMinute, at };
      const tokens = Math.min(perMinute, bucket.tokens + ((at - bucket.at) / 60_000) * perMinute);
      const isAllowed = tokens >= 1;
      buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, at });
      return isAllowed ? 0 : Math.max(1, Math.ceil(((1 - tokens) / perMinute) * 60));
    },
  };
}

export type FailureTable = {
  readonly delayMs: (group: string) => number;
  readonly failed: (group: string) => void;
  readonly succeeded: (group: string) => void;
};

const forgetFailuresMs = 900_000;
const maxDelayMs = 10_000;

/** Failed log-ins by address. The wait of the next one doubles with each: 100 ms after the first, 10 s at most. */
export function createFailureTable(now: () => number): FailureTable {
  const failures = new LRUCache<string, { readonly count: number; readonly at: number }>(trackedKeys);
  const known = (group: string) => {
    const entry = failures.get(group);
    return entry !== undefined && now() - entry.at < forgetFailuresMs ? entry.count : 0;
  };
  return {
    delayMs: (group) => (known(group) === 0 ? 0 : Math.min(maxDelayMs, 50 * 2 ** Math.min(known(group), 20))),
    failed(group) {
      failures.set(group, { count: known(group) + 1, at: now() });
    },
    succeeded: (group) => {
      failures.delete(group);
    },
  };
}
