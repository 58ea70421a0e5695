// Copies and writes files so that they outlast a power cut: each is synced, for its owner alone, and so are the folders.
import { createHash } from 'node:crypto';
import { mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

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
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'wx', fileMode);
    try {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(chunkBytes);
      let bytes = 0;
      for (;;) {
        const { bytesRead } = await source.read(buffer, 0, chunkBytes, bytes);
        if (bytesRead === 0) break;
        const piece = buffer.subarray(0, bytesRead);
        hash.update(piece);
        await target.writeFile(piece);
        bytes += bytesRead;
      }
      await target.sync();
      return { bytes, sha256: hash.digest('hex') };
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** The SHA-256 and the length of a file; makes it durable where `sync` says so. */
export async function measureFile(path: string, { sync = false } = {}): Promise<CopiedFile> {
  const handle = await open(path, sync ? 'r+' : 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(chunkBytes);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, bytes);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
    if (sync) await handle.sync();
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

/** Writes a small file that must not be there yet. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', fileMode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes all names below a folder durable, and its own. */
export async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(folder, entry.name));
  }
  await syncOne(folder);
  await syncOne(dirname(folder));
}

async function syncOne(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Works through the list, a few at a time. */
export async function forEachOf<T>(list: readonly T[], work: (entry: T) => Promise<void>, atOnce = 4): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    for (let entry = list[next++]; entry !== undefined; entry = list[next++]) await work(entry);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}
