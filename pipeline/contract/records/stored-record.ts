// How every record is stored: a JSON object under a key of its own, checked against its schema whenever it is read, and
// changed by compare-and-set. Each kind of record has a file beside this one.
import { z } from 'zod';
import { errorMessage } from '#mail/problem.ts';
import type { ObjectStore, WriteCondition } from '#pipeline/contract/ports.ts';
import { readWhole } from '#pipeline/contract/stored-body.ts';

export type Stored<Found> = { readonly record: Found; readonly etag: string };

/** `Name`: what the key is made of. */
export type RecordKind<Found, Name extends readonly unknown[]> = {
  readonly key: (...name: Name) => string;
  /** Throws if the JSON is no such record. */
  readonly parse: (json: unknown, object: ObjectOrigin) => Found;
  /** Null if there is none. `unreadable` answers for an object that is no such record; without it, that throws. */
  readonly read: <Instead = never>(
    store: Pick<ObjectStore, 'get'>,
    key: string,
    unreadable?: (reason: string) => Instead,
  ) => Promise<Stored<Found | Instead> | null>;
  /** The record alone; null if there is none that can be read. */
  readonly find: (store: Pick<ObjectStore, 'get'>, key: string) => Promise<Found | null>;
  /** Answers the new etag, or null if the condition did not hold. Without a condition it replaces what is there. */
  readonly write: (
    store: Pick<ObjectStore, 'put'>,
    key: string,
    record: Found,
    condition?: WriteCondition,
  ) => Promise<string | null>;
  /**
   * Writes what `change` makes of the record, and again after a conflict. If that is the same object, nothing is written.
   * Answers what is then stored, or null after five conflicts.
   */
  readonly change: (
    store: Pick<ObjectStore, 'get' | 'put'>,
    key: string,
    change: (before: Found | null) => Found,
  ) => Promise<Found | null>;
};

/** For older forms of a record, which lack some of it. */
export type ObjectOrigin = { readonly key: string; readonly modifiedAt: string };

const maxTries = 5;

/** ISO 8601 in UTC, with milliseconds. */
export const timestamp = z.iso.datetime({ precision: 3 });

export function recordKind<Found, Name extends readonly unknown[]>(
  keyOf: RecordKind<Found, Name>['key'],
  parse: RecordKind<Found, Name>['parse'],
): RecordKind<Found, Name> {
  const kind: RecordKind<Found, Name> = {
    key: keyOf,
    parse,
    read: async (store, key, unreadable) => {
      const object = await store.get(key);
      if (object === null) return null;
      const { etag, modifiedAt } = object;
      const text = (await readWhole(object)).toString('utf8');
      try {
        return { record: parse(JSON.parse(text), { key, modifiedAt }), etag };
      } catch (thrown) {
        if (unreadable === undefined) throw thrown;
        return { record: unreadable(errorMessage(thrown)), etag };
      }
    },
    find: async (store, key) => (await kind.read(store, key, () => null))?.record ?? null,
    write: async (store, key, record, condition) => {
      const written = await store.put({
        key,
        body: Buffer.from(JSON.stringify(record)),
        contentType: 'application/json',
        ...(condition === undefined ? {} : { condition }),
      });
      return written.outcome === 'stored' ? written.etag : null;
    },
    change: async (store, key, change) => {
      for (let tries = 1; tries <= maxTries; tries++) {
        const stored = await kind.read(store, key);
        const before = stored?.record ?? null;
        const after = change(before);
        if (after === before) return after;
        const condition = stored === null ? ({ ifAbsent: true } as const) : { ifMatch: stored.etag };
        if ((await kind.write(store, key, after, condition)) !== null) return after;
      }
      return null;
    },
  };
  return kind;
}
