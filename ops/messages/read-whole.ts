// Stored objects that are small enough to be read whole.
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';

const maxBytes = 64 * 1_024 * 1_024;

/** The object's bytes; null if there is none. Throws if it has more than 64 MiB. */
export async function readWhole(store: Pick<ObjectStore, 'get'>, key: string): Promise<Buffer | null> {
  const object = await store.get(key);
  if (object === null) return null;
  if (object.bytes > maxBytes) throw new Error(`${key} has ${object.bytes} bytes: too many to read whole`);
  return readBody(object.body);
}
