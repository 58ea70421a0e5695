// Reads a body that is a file, as it was stored or not at all: its length is checked before the first byte is given, its
// SHA-256 before the last piece is, so whoever reads on to the end has the bytes that were acknowledged.
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { collectGarbage } from '#container/limits/collect-garbage.ts';
import { type DamagedBody, damagedBody } from '#pipeline/contract/stored-body.ts';

/** What the row of an object says of its file; `sha256` is null for objects of a version that did not keep it. */
export type FileFacts = {
  readonly key: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string | null;
};

type Range = { readonly first: number; readonly last: number };
type Reading = { readonly facts: FileFacts; readonly handle: FileHandle; readonly hash: Hash | null };

const chunkBytes = 65_536;
/** A pipe in place of a file must not hold the one who opens it. */
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Opens the body, or the range of it; null where there is no such file. Rejects with a {@link DamagedBody} where the file
 * is not what was stored; so does the reading, where that shows later. Pieces are at most 64 KiB.
 */
export async function openBodyFile(
  folder: string,
  facts: FileFacts,
  range?: Range,
): Promise<AsyncIterable<Uint8Array> | null> {
  const handle = await openFile(folder, facts);
  if (handle === null) return null;
  try {
    const { size, isFile } = await statOf(handle);
    const whatIsWrong = lengthProblem({ size, isFile }, facts.bytes);
    if (whatIsWrong !== null) throw altered(facts, whatIsWrong);
  } catch (error) {
    await handle.close();
    throw error;
  }
  const first = range?.first ?? 0;
  const end = range === undefined ? facts.bytes : Math.min(facts.bytes, Math.max(first, range.last) + 1);
  const hash = range === undefined && facts.sha256 !== null ? createHash('sha256') : null;
  return piecesOf({ facts, handle, hash }, first, end);
}

/** What is wrong with a file by its kind and length, as the end of a sentence; null where both are right. */
export function lengthProblem(
  { size, isFile }: { readonly size: number; readonly isFile: boolean },
  bytes: number,
): string | null {
  if (!isFile) return 'is no file';
  return size === bytes ? null : `has ${size} bytes instead of ${bytes}`;
}

/** The fault of a body whose file is not there. */
export function missingFile({ key, file }: Pick<FileFacts, 'key' | 'file'>): DamagedBody {
  return damagedBody(key, 'missing', `is gone: there is no file bodies/${file} any more`);
}

function altered({ key, file }: FileFacts, what: string): DamagedBody {
  return damagedBody(key, 'altered', `is not what was stored: bodies/${file} ${what}`);
}

async function openFile(folder: string, { key, file }: FileFacts): Promise<FileHandle | null> {
  try {
    return await open(join(folder, file), openFlags);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT') return null;
    // The process has no descriptors or no memory left: that says nothing about this file.
    if (['EMFILE', 'ENFILE', 'ENOMEM'].includes(code)) throw error;
    throw damagedBody(key, 'unreadable', `cannot be read: bodies/${file}: ${code}`);
  }
}

async function statOf(handle: FileHandle): Promise<{ readonly size: number; readonly isFile: boolean }> {
  const stat = await handle.stat();
  return { size: stat.size, isFile: stat.isFile() };
}

/** An iterator rather than a generator: one that is ended before it began closes its file all the same. */
function piecesOf({ facts, handle, hash }: Reading, first: number, end: number): AsyncIterable<Uint8Array> {
  let at = first;
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await handle.close();
  };
  const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    if (isClosed || at >= end) {
      await close();
      return { done: true, value: undefined };
    }
    try {
      const value = await readPiece({ facts, handle, hash }, at, end);
      at += value.length;
      return { done: false, value };
    } catch (error) {
      await close();
      throw error;
    }
  };
  const iterator = {
    next,
    return: async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      await close();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

async function readPiece({ facts, handle, hash }: Reading, at: number, end: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, end - at));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, at).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw damagedBody(facts.key, 'unreadable', `cannot be read: bodies/${facts.file}: ${code}`);
  });
  if (bytesRead === 0) throw altered(facts, `ends after ${at} of ${facts.bytes} bytes`);
  const piece = buffer.subarray(0, bytesRead);
  hash?.update(piece);
  if (hash !== null && at + bytesRead === end && hash.digest('hex') !== facts.sha256) {
    throw altered(facts, 'has another SHA-256');
  }
  collectGarbage(piece.length); // What is read is garbage as soon as it is passed on, and there is much of it.
  return piece;
}
