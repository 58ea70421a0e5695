// The marks of all messages in the emulator: one listing tells which have changed, and only those are read.
import { marksPrefix, messageIdOf } from '#pipeline/contract/keys.ts';
import { listAll } from '#pipeline/contract/list-all.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { type Marks, marksRecord } from '#pipeline/contract/records/marks.ts';

type Known = { readonly etag: string; readonly marks: Marks };

/** A function that answers the marks as they are now, by message id; a message without marks is not in it. */
export function marksReader(store: Pick<ObjectStore, 'get' | 'list'>): () => Promise<ReadonlyMap<string, Marks>> {
  let known = new Map<string, Known>();
  return async () => {
    const now = new Map<string, Known>();
    for (const { key, etag } of await listAll(store.list, marksPrefix)) {
      const before = known.get(key);
      const marks = before?.etag === etag ? before.marks : await marksRecord.find(store, key);
      if (marks !== null) now.set(key, { etag, marks });
    }
    known = now;
    return new Map([...now].map(([key, { marks }]) => [messageIdOf(key) ?? key, marks]));
  };
}
