// Reads small stored objects whole; JSON is this service's own, and checked like everything that comes from outside.

import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';

const maxBytes = 64 * 1_024 * 1_024;

/** The object's bytes as text; null where there is none. Throws where it is too large to be read whole. */
export async function readText(store: Pick<ObjectStore, 'get'>, key: string): Promise<string | null> {
  return (await readBytes(store, key))?.toString('utf8') ?? null;
}

/** The object's bytes; null where there is none. Throws where it is too large to be read whole. */
export async function readBytes(store: Pick<ObjectStore, 'get'>, key: string): Promise<Buffer | null> {
  const object = await store.get(key);
  if (object === null) return null;
  if (object.bytes > maxBytes) throw new Error(`${key} has ${object.bytes} bytes: too many to read whole`);
  return readBody(object.body);
}
