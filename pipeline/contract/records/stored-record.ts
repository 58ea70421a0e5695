// How every record is kept: a JSON object under a key of its own, checked against its schema whenever it is read, and moved on by
// compare-and-set. Each kind of record has a file beside this one.

import type { ObjectStore, WriteCondition } from '#pipeline/contract/ports.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';

/** A record as read, and the version that a write with `ifMatch` must find. */
export type Stored<Found> = { readonly record: Found; readonly etag: string };

/** One kind of record. `Name`: what tells one from another. */
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
  /** Answers the new etag, or null if the condition did not hold. Without a condition it replaces what is there. */
  readonly write: (
    store: Pick<ObjectStore, 'put'>,
    key: string,
    record: Found,
    condition?: WriteCondition,
  ) => Promise<string | null>;
  /**
   * Writes what `change` makes of the record, and again if another was faster. If that is the same object, nothing is
   * written. Answers what is then stored, or null if others were faster five times.
   */
  readonly change: (
    store: Pick<ObjectStore, 'get' | 'put'>,
    key: string,
    change: (before: Found | null) => Found,
  ) => Promise<Found | null>;
};

/** What an older form of a record may be completed from. */
export type ObjectOrigin = { readonly key: string; readonly modifiedAt: string };

const maxTries = 5;
const maxBytes = 67_108_864;

/** Makes a kind of record of its key and its schema. */
export function recordKind<Found, Name extends readonly unknown[]>(
  own: Pick<RecordKind<Found, Name>, 'key' | 'parse'>,
): RecordKind<Found, Name> {
  const kind: RecordKind<Found, Name> = {
    ...own,
    read: async (store, key, unreadable) => {
      const object = await store.get(key);
      if (object === null) return null;
      const { etag, bytes, modifiedAt } = object;
      if (bytes > maxBytes) throw new Error(`${key} has ${bytes} bytes: too many to read whole`);
      const text = (await readBody(object.body)).toString('utf8');
      try {
        return { record: own.parse(JSON.parse(text), { key, modifiedAt }), etag };
      } catch (thrown) {
        if (unreadable === undefined) throw thrown;
        return { record: unreadable(thrown instanceof Error ? thrown.message : String(thrown)), etag };
      }
    },
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
