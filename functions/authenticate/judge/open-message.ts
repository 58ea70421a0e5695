// A stored message, opened for judging: its header section in one piece, its body still to come.

import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { messageLost } from '#pipeline/run/own-fault.ts';
import { type ScannedHeader, scanHeader } from './scan-header.ts';

/** A message of which the header section was read. */
export type OpenMessage = {
  /** The length of the whole message. */
  readonly bytes: number;
  readonly scanned: ScannedHeader;
  /** The header section with the empty line behind it; at most {@link keptHeaderBytes} of it. */
  readonly header: Uint8Array;
  /** The body, chunk by chunk, once. A failing store rejects here. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of what was not read. */
  readonly close: () => Promise<void>;
};

/** As much of a header section as is kept; a longer one is scanned to its end, and not verified. */
export const keptHeaderBytes = 262_144;

/** Opens the message at `key`; throws where it is not there: it was acknowledged, so the platform lost it. */
export async function openMessage(store: Pick<ObjectStore, 'get'>, key: string): Promise<OpenMessage> {
  const stored = await store.get(key);
  if (stored === null) throw messageLost(key);
  const chunks = stored.body[Symbol.asyncIterator]();
  const scan = scanHeader();
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  let rest: Uint8Array = new Uint8Array(0);
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    const end = scan.push(next.value);
    const part = next.value.subarray(0, Math.min(end ?? next.value.length, keptHeaderBytes - keptBytes));
    keptBytes += part.length;
    kept.push(Uint8Array.from(part));
    rest = end === null ? rest : next.value.subarray(end);
    if (end !== null) break;
  }
  return {
    bytes: stored.bytes,
    scanned: scan.result(),
    header: Buffer.concat(kept),
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
