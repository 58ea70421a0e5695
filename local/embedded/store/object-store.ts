// The object store over the database thread: small bodies are rows, large ones files; either way a body is read in
// chunks and never held whole.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, isRefused } from '#local/embedded/client.ts';
import type { Content, FoundObject } from '#local/embedded/requests.ts';
import { isMailKey } from '#pipeline/contract/keys.ts';
import type { ObjectFacts, ObjectStore, PutOutcome, PutRequest, StoredObject } from '#pipeline/contract/ports.ts';
import { type BodyFile, createBodyFile, inlineBytes } from './body-files.ts';
import { missingFile, openBodyFile } from './read-body-file.ts';
import { createSharedPuts, type ObjectHead, type Parts } from './shared-puts.ts';

type Range = { readonly first: number; readonly last: number };

const chunkBytes = 65_536;
const listLimit = 1_000;
/** The database thread lists mail as it writes it, so its JSON has to be a row, however large: the parse stage bounds it. */
const mailInlineBytes = 8_388_608;

type Told = (key: string) => void;

/** `written` is told of each key that was stored, `deleted` of each that is not there any more. */
export function createObjectStore(
  client: Client,
  bodiesFolder: string,
  { written, deleted }: { readonly written: Told; readonly deleted: Told },
): ObjectStore {
  const putShared = createSharedPuts(client);
  const putFound = async (request: PutRequest, content: Content): Promise<PutOutcome> => {
    const outcome = await client.ask({ kind: 'put', object: { ...headOf(request), content } });
    if (outcome.outcome === 'lacks-shared') throw new Error(`${request.key} shares nothing`);
    if (outcome.outcome === 'stored') written(request.key);
    return outcome;
  };
  const get = async (key: string, range?: Range): Promise<StoredObject | null> => {
    let absent: string | null = null;
    for (;;) {
      const found = await client.ask({ kind: 'get', key });
      if (found === null) return null;
      const facts = factsOf(found);
      if (found.kind === 'inline') return { ...facts, body: pieces(cut(found.content, range)) };
      const body = await openBodyFile(bodiesFolder, found, range);
      if (body !== null) return { ...facts, body };
      // Overwritten or deleted since the row was read, and then the row is another one now; or the file is lost.
      if (found.file === absent) throw missingFile(found);
      absent = found.file;
    }
  };
  /** The version of an object whose file is gone: what is written only where nothing is may be written there. */
  const lostVersion = async (key: string): Promise<string | null> => {
    const found = await client.ask({ kind: 'get', key });
    if (found?.kind !== 'file') return null;
    return (await isThere(join(bodiesFolder, found.file))) ? null : found.etag;
  };
  return {
    put: async (request) => {
      const maxBytes = isMailKey(request.key) ? mailInlineBytes : inlineBytes;
      const parts = partsOf(request, maxBytes);
      if (parts !== null) {
        const outcome = await putShared(headOf(request), parts);
        if (outcome.outcome === 'stored') written(request.key);
        return outcome;
      }
      const start = await readStart(wholeBody(request), maxBytes);
      if (start.rest === null) return putFound(request, client.attach(start.pieces));
      const file = await createBodyFile(bodiesFolder);
      return putFile(file, start, async (content) => {
        const outcome = await putFound(request, content);
        const lost = outcome.outcome === 'conflict' && isIfAbsent(request) ? await lostVersion(request.key) : null;
        return lost === null ? outcome : putFound({ ...request, condition: { ifMatch: lost } }, content);
      });
    },
    get,
    head: (key) => client.ask({ kind: 'head', key }),
    list: ({ prefix, after = '', limit = listLimit }) => client.ask({ kind: 'list', prefix, after, limit }),
    delete: async (key, condition) => {
      const outcome = await client.ask({ kind: 'delete', key, ifMatch: condition?.ifMatch ?? null });
      if (outcome === 'deleted') deleted(key);
      return outcome;
    },
  };
}

function isIfAbsent({ condition }: PutRequest): boolean {
  return condition !== undefined && 'ifAbsent' in condition;
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => !(error instanceof Error && 'code' in error && error.code === 'ENOENT'),
  );
}

function headOf({ key, contentType, metadata, condition }: PutRequest): ObjectHead {
  return { key, contentType, metadata: JSON.stringify(metadata ?? {}), condition: condition ?? null };
}

/** The two parts of an object that shares its end and fits into a row; null for any other. */
function partsOf({ body, sharedTail }: PutRequest, maxBytes: number): Parts | null {
  if (sharedTail === undefined || sharedTail.length === 0 || !(body instanceof Uint8Array)) return null;
  return body.length + sharedTail.length <= maxBytes ? { own: body, shared: sharedTail } : null;
}

function wholeBody({ body, sharedTail }: PutRequest): PutRequest['body'] {
  return sharedTail === undefined ? body : inTurn(body instanceof Uint8Array ? pieces(body) : body, sharedTail);
}

async function* inTurn(body: AsyncIterable<Uint8Array>, tail: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* body;
  yield* pieces(tail);
}

type Start = { readonly pieces: readonly Uint8Array[]; readonly rest: AsyncIterable<Uint8Array> | null };

/** Reads until the body has ended, or is too long for a row: then `rest` is what comes after `pieces`. */
async function readStart(body: PutRequest['body'], maxBytes: number): Promise<Start> {
  if (body instanceof Uint8Array) {
    return body.length <= maxBytes ? { pieces: [body], rest: null } : { pieces: [], rest: pieces(body) };
  }
  const source = body[Symbol.asyncIterator]();
  const read: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= maxBytes) {
    const { done, value } = await source.next();
    if (done === true) return { pieces: read, rest: null };
    read.push(Uint8Array.from(value));
    bytes += value.length;
  }
  return { pieces: read, rest: { [Symbol.asyncIterator]: () => source } };
}

async function putFile(
  file: BodyFile,
  { pieces: read, rest }: Start,
  put: (content: Content) => Promise<PutOutcome>,
): Promise<PutOutcome> {
  let content: Content | null = null;
  try {
    for (const piece of read) await file.write(piece);
    for await (const piece of rest ?? []) await file.write(piece);
    content = await file.finish();
    const outcome = await put(content);
    if (outcome.outcome === 'conflict') await file.discard();
    return outcome;
  } catch (error) {
    // A thread that was lost may have written the row before: the file is then the next start's to judge.
    if (content === null || isRefused(error)) await file.discard();
    throw error;
  }
}

function cut(content: Uint8Array, range: Range | undefined): Uint8Array {
  return range === undefined ? content : content.subarray(range.first, range.last + 1);
}

async function* pieces(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += chunkBytes) yield content.subarray(at, at + chunkBytes);
}

function factsOf({ key, bytes, etag, contentType, metadata, modifiedAt }: FoundObject): ObjectFacts {
  return { key, bytes, etag, contentType, metadata, modifiedAt };
}
