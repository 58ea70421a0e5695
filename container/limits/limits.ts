// What one address, one user and all together may do: connections at once, messages a minute. Tables are bounded.

import type { Peer } from '#mail/address/peer-address.ts';
import type { Config } from '#pipeline/config/config.ts';
import { configSchema } from '#pipeline/config/config.ts';

const maxTrackedKeys = 50_000; // the longest unseen are forgotten first
const defaults = configSchema.parse({}).limits;

/** Limits that a client on this machine is held to only where somebody set them: the defaults are for strangers. */
type StrangerLimit =
  | 'connectionsPerIp'
  | 'messagesPerMinutePerIp'
  | 'messagesPerMinutePerUser'
  | 'recipientsPerMinutePerUser'
  | 'authFailuresPerUser'
  | 'transactionsPerConnection';

/** The limit that holds for a peer. */
export function limitFor(limits: Config['limits'], name: StrangerLimit, { isLoopback }: Peer): number {
  return isLoopback && limits[name] === defaults[name] ? Number.POSITIVE_INFINITY : limits[name];
}

/** Counts what is open by key; a key is forgotten when its count is zero. */
export type ConnectionCounts = {
  /** Takes a place, or says which limit is in the way. `release` gives it back, once however often it is called. */
  readonly take: (
    group: string,
    limits: { readonly perGroup: number; readonly total: number },
  ) => { readonly outcome: 'taken'; readonly release: () => void } | { readonly outcome: 'total' | 'group' };
  readonly total: () => number;
};

/** No connections yet. */
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

/** A rate by key: token buckets that hold one minute's worth. */
export type Rate = {
  /** Takes one and answers 0; where none is left, the seconds until one is (whole ones, at least 1). */
  readonly take: (key: string, perMinute: number) => number;
};

/** Full buckets. `now` is a clock in milliseconds that never goes back. */
export function createRate(now: () => number): Rate {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take(key, perMinute) {
      if (perMinute === Number.POSITIVE_INFINITY) return 0;
      const at = now();
      const bucket = buckets.get(key) ?? { tokens: perMinute, at };
      const tokens = Math.min(perMinute, bucket.tokens + ((at - bucket.at) / 60_000) * perMinute);
      const isAllowed = tokens >= 1;
      buckets.delete(key); // and set again: a Map keeps the order of insertion, the first is the longest unseen
      buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, at });
      dropOldest(buckets);
      return isAllowed ? 0 : Math.max(1, Math.ceil(((1 - tokens) / perMinute) * 60));
    },
  };
}

/** Failed log-ins by address, and how long the next one has to wait. */
export type FailureTable = {
  readonly delayMs: (group: string) => number;
  readonly failed: (group: string) => void;
  readonly succeeded: (group: string) => void;
};

const forgetFailuresMs = 900_000;
const maxDelayMs = 10_000;

/** Nothing has failed yet. The wait doubles with each failure: 100 ms behind the first, 10 s at most. */
export function createFailureTable(now: () => number): FailureTable {
  const failures = new Map<string, { count: number; at: number }>();
  const known = (group: string) => {
    const entry = failures.get(group);
    return entry !== undefined && now() - entry.at < forgetFailuresMs ? entry.count : 0;
  };
  return {
    delayMs: (group) => (known(group) === 0 ? 0 : Math.min(maxDelayMs, 50 * 2 ** Math.min(known(group), 20))),
    failed(group) {
      const count = known(group) + 1;
      failures.delete(group);
      failures.set(group, { count, at: now() });
      dropOldest(failures);
    },
    succeeded: (group) => {
      failures.delete(group);
    },
  };
}

/** Forgets the key that was set first, where a table has grown too large. */
export function dropOldest(table: Map<string, unknown> | Set<string>): void {
  if (table.size <= maxTrackedKeys) return;
  for (const oldest of table.keys()) {
    table.delete(oldest);
    return;
  }
}
