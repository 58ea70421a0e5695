// A bounded memory for answers: the least recently used go first, and who asks while an answer is under way gets that one.
import type { Clock } from '#pipeline/contract/ports.ts';

/** See {@link createDnsCache}. */
export type DnsCache<Value> = {
  /** The remembered value, or what `ask` answers, remembered for as many seconds as `holdSeconds` says of it. */
  readonly get: (key: string, ask: () => Promise<Value>, holdSeconds: (value: Value) => number) => Promise<Value>;
  /** Says whether a value is remembered. */
  readonly holds: (key: string) => boolean;
  readonly clear: () => void;
  readonly size: () => number;
};

type Entry<Value> = { readonly value: Value; readonly untilMs: number };

/** An empty cache. `ask` must not reject: a rejection is handed on and not remembered. */
export function createDnsCache<Value>(options: {
  readonly clock: Clock;
  readonly maxEntries: number;
}): DnsCache<Value> {
  const entries = new Map<string, Entry<Value>>();
  const underway = new Map<string, Promise<Value>>();

  const remember = (key: string, value: Value, seconds: number): void => {
    entries.delete(key);
    if (seconds <= 0) return;
    entries.set(key, { value, untilMs: options.clock() + seconds * 1_000 });
    for (const oldest of entries.keys()) {
      if (entries.size <= options.maxEntries) break;
      entries.delete(oldest);
    }
  };
  const recall = (key: string): Entry<Value> | undefined => {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    entries.delete(key);
    if (entry.untilMs <= options.clock()) return undefined;
    entries.set(key, entry); // A Map keeps the order of insertion: the one just used is now the last to go.
    return entry;
  };
  return {
    get: async (key, ask, holdSeconds) => {
      const known = recall(key);
      if (known !== undefined) return known.value;
      const asked = underway.get(key) ?? ask();
      underway.set(key, asked);
      try {
        const value = await asked;
        if (underway.get(key) === asked) remember(key, value, holdSeconds(value));
        return value;
      } finally {
        if (underway.get(key) === asked) underway.delete(key);
      }
    },
    holds: (key) => recall(key) !== undefined,
    clear: () => {
      entries.clear();
      underway.clear();
    },
    size: () => entries.size,
  };
}
