// A stored message, opened for judging: its header read to its end, its body still to come.
import { type Header, readHeaderOf } from '#mail/header/read-header.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { messageLost } from '#pipeline/run/own-fault.ts';

/** A message of which the header was read. */
export type OpenMessage = {
  /** The length of the whole message. */
  readonly bytes: number;
  readonly header: Header;
  /** The body, chunk by chunk, once. A failing store rejects here. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of what was not read. */
  readonly close: () => Promise<void>;
};

/** Opens the message at `key`; throws if it is not there: it was acknowledged, so the platform lost it. */
export async function openMessage(store: Pick<ObjectStore, 'get'>, key: string): Promise<OpenMessage> {
  const stored = await store.get(key);
  if (stored === null) throw messageLost(key);
  const chunks = stored.body[Symbol.asyncIterator]();
  const { header, rest } = await readHeaderOf(chunks);
  return {
    bytes: stored.bytes,
    header,
    body: remaining(rest, chunks),
    close: async () => {
      await chunks.return?.();
    },
  };
}

async function* remaining(rest: Uint8Array, chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (rest.length > 0) yield rest;
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
}
