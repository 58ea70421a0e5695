// Writes objects that end alike: the end goes to the database thread with the first of them; the others name it by its
// SHA-256. Where the thread has it no more (its objects were deleted meanwhile), it goes along once again.
import { createHash } from 'node:crypto';
import type { Client } from '#local/embedded/client.ts';
import type { NewObject } from '#local/embedded/requests.ts';
import type { PutOutcome } from '#pipeline/contract/ports.ts';

/** An object without its bodies. */
export type ObjectHead = Omit<NewObject, 'content' | 'shared'>;

/** Its own part and the part it shares: the same array each time. */
export type Parts = { readonly own: Uint8Array; readonly shared: Uint8Array };

/** `first` settles when the first object with this end was written, or was not. */
type Known = { readonly sha256: string; readonly first: Promise<void> };

/** The way to write them, over the database thread. */
export function createSharedPuts(client: Client): (head: ObjectHead, parts: Parts) => Promise<PutOutcome> {
  const known = new WeakMap<Uint8Array, Known>();
  const send = (head: ObjectHead, { own, shared }: Parts, { sha256, comes }: { sha256: string; comes: boolean }) => {
    const content = client.attach([own]);
    const at = comes ? client.attach([shared]).at : null;
    return client.ask({ kind: 'put', object: { ...head, content, shared: { sha256, bytes: shared.length, at } } });
  };
  const sendWhole = async (head: ObjectHead, parts: Parts, sha256: string): Promise<PutOutcome> => {
    const outcome = await send(head, parts, { sha256, comes: true });
    if (outcome.outcome === 'lacks-shared') throw new Error(`${head.key}: the shared part was sent and is not there`);
    return outcome;
  };
  return async (head, parts) => {
    const part = known.get(parts.shared);
    if (part === undefined) {
      const sha256 = createHash('sha256').update(parts.shared).digest('hex');
      const sent = sendWhole(head, parts, sha256);
      known.set(parts.shared, { sha256, first: sent.then(settled, settled) });
      return sent;
    }
    await part.first;
    const outcome = await send(head, parts, { sha256: part.sha256, comes: false });
    return outcome.outcome === 'lacks-shared' ? sendWhole(head, parts, part.sha256) : outcome;
  };
}

function settled(): void {}
