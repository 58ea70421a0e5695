// Copies and writes files so that they outlast a power cut: each is synced, for its owner alone, and so are the folders.
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '#local/embedded/store/body-files.ts';

const chunkBytes = 1_048_576;
const fileMode = 0o600;
const folderMode = 0o700;

/** What was copied. */
export type CopiedFile = { readonly bytes: number; readonly sha256: string };

/** Makes a folder and those above it, for their owner alone. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: folderMode });
}

/** Copies a file to where none is, with its folder; answers length and SHA-256 of what was read. */
export async function copyDurably(from: string, to: string): Promise<CopiedFile> {
  await makeFolder(dirname(to));
  await using source = await open(from, 'r');
  await using target = await open(to, 'wx', fileMode);
  const copied = await readAll(source, (piece) => target.writeFile(piece));
  await target.sync();
  return copied;
}

/** Length and SHA-256 of what is read; one buffer serves for all pieces. */
async function readAll(source: FileHandle, take: (piece: Buffer) => Promise<void>): Promise<CopiedFile> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, chunkBytes, bytes);
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await take(piece);
    bytes += bytesRead;
  }
}

/** The SHA-256 and the length of a file; makes it durable where `sync` says so. */
export async function measureFile(path: string, { sync = false } = {}): Promise<CopiedFile> {
  await using handle = await open(path, sync ? 'r+' : 'r');
  const measured = await readAll(handle, async () => {});
  if (sync) await handle.sync();
  return measured;
}

/** Writes a small file that must not be there yet. */
export async function writeDurably(path: string, text: string): Promise<void> {
  await using handle = await open(path, 'wx', fileMode);
  await handle.writeFile(text);
  await handle.sync();
}

/** Makes all names below a folder durable, and its own. */
export async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(folder, entry.name));
  }
  await syncFolder(folder);
  await syncFolder(dirname(folder));
}

/** Works through the list, a few at a time. */
export async function forEachOf<T>(list: readonly T[], work: (entry: T) => Promise<void>, atOnce = 4): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    for (let entry = list[next++]; entry !== undefined; entry = list[next++]) await work(entry);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}
