// Stores one object that the parser found (an attachment, a large body) while its bytes come; counts and hashes them on the way.
import { createHash, type Hash } from 'node:crypto';
import type { ObjectStart } from '#functions/parse/worker/worker-messages.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { attachmentKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';

/** An object that is stored, and what its bytes are. */
export type KeptObject = Pick<InboxMessage['raw'], 'key' | 'bytes' | 'sha256'> & { readonly start: ObjectStart };

/** Up to this size an object is handed over in one piece, which costs a store less than a stream. */
const onePieceBytes = 262_144;
const maxNameChars = 1_024;

/** Stores the object at its key; one that an earlier run has stored stays as it is. Throws where the store fails. */
export async function keepObject(
  store: Pick<ObjectStore, 'put'>,
  job: Pick<ParseJob, 'id' | 'receivedAt'>,
  start: ObjectStart,
  content: AsyncIterable<Uint8Array>,
): Promise<KeptObject> {
  const key = attachmentKey(job, start.kind === 'attachment' ? start.n : start.kind);
  const measured = { bytes: 0, hash: createHash('sha256') };
  const chunks = measure(content, measured);
  const body = await firstPiece(chunks);
  const object = { key, contentType: storedType(start), metadata: metadata(start) };
  await store.put({ ...object, body, condition: { ifAbsent: true } });
  // If the object is already there, the store need not read the bytes; they are counted all the same.
  while ((await chunks.next()).done !== true) {}
  return { start, key, bytes: measured.bytes, sha256: measured.hash.digest('hex') };
}

/** No browser may run what a sender wrote: attachments are stored as bytes, and the type that they claim is metadata. */
function storedType(start: ObjectStart): string {
  return start.kind === 'attachment' ? 'application/octet-stream' : 'text/plain; charset=utf-8';
}

function metadata(start: ObjectStart): Record<string, string> {
  if (start.kind !== 'attachment') return { type: start.kind === 'html' ? 'text/html' : 'text/plain' };
  const { filename, contentType } = start.attachment;
  return { filename: percentEncoded(filename), type: contentType };
}

/** Percent-encoded UTF-8 (as encodeURIComponent writes it), cut between characters. */
function percentEncoded(name: string): string {
  let result = '';
  for (const char of name.toWellFormed()) {
    const encoded = encodeURIComponent(char);
    if (result.length + encoded.length > maxNameChars) break;
    result += encoded;
  }
  return result;
}

type Measured = { bytes: number; readonly hash: Hash };

async function* measure(content: AsyncIterable<Uint8Array>, measured: Measured): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    measured.hash.update(chunk);
    measured.bytes += chunk.length;
    yield chunk;
  }
}

/** The whole in one piece if it is small, else a stream that begins with what was read. */
async function firstPiece(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= onePieceBytes) {
    const next = await chunks.next();
    if (next.done === true) return Buffer.concat(pieces);
    pieces.push(next.value);
    bytes += next.value.length;
  }
  return restOf(pieces, chunks);
}

/** Does not end `chunks` if its reader stops early: the bytes that are left are still to be counted. */
async function* restOf(pieces: Uint8Array[], chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces.splice(0);
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
}
