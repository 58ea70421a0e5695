// Stores one object that the parser found (an attachment, a large body) while its bytes come; counts and hashes them on the way.
import { createHash } from 'node:crypto';
import type { ObjectStart } from '#functions/parse/worker/worker-messages.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { attachmentKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';

/** An object that is stored, and what its bytes are. */
export type KeptObject = {
  readonly start: ObjectStart;
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
};

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
  const measured = measure(content);
  const body = await firstPiece(measured.read);
  await store.put({
    key,
    body,
    contentType: storedType(start),
    metadata: metadata(start),
    condition: { ifAbsent: true },
  });
  // If the object is already there, the store need not read the bytes; they are counted all the same.
  while ((await measured.read()) !== null) {}
  return { start, key, ...measured.facts() };
}

/** A browser must never run what a stranger sent: objects are stored as bytes, what they claim to be is metadata. */
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

type Read = () => Promise<Uint8Array | null>;

function measure(content: AsyncIterable<Uint8Array>): {
  readonly read: Read;
  readonly facts: () => { bytes: number; sha256: string };
} {
  const chunks = content[Symbol.asyncIterator]();
  const hash = createHash('sha256');
  let bytes = 0;
  let ended = false;
  const read: Read = async () => {
    if (ended) return null;
    const next = await chunks.next();
    if (next.done === true) {
      ended = true;
      return null;
    }
    hash.update(next.value);
    bytes += next.value.length;
    return next.value;
  };
  return { read, facts: () => ({ bytes, sha256: hash.digest('hex') }) };
}

/** The whole in one piece where it is small, else a stream that begins with what was read. */
async function firstPiece(read: Read): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= onePieceBytes) {
    const piece = await read();
    if (piece === null) return Buffer.concat(pieces);
    pieces.push(piece);
    bytes += piece.length;
  }
  return restOf(pieces, read);
}

async function* restOf(pieces: Uint8Array[], read: Read): AsyncGenerator<Uint8Array> {
  yield* pieces.splice(0);
  for (let piece = await read(); piece !== null; piece = await read()) yield piece;
}
