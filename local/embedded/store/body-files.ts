// Large bodies as files beside the database: written, fsynced, renamed, their folder fsynced; only then may a row name
// them. What a crash leaves behind without a row is swept out at the next start.
import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Bodies over this many bytes become files. */
export const inlineBytes = 262_144;

/** A finished file, what it holds, and the SHA-256 of that in lower-case hex. */
export type FileContent = {
  readonly kind: 'file';
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
};

export type BodyFile = {
  readonly write: (piece: Uint8Array) => Promise<void>;
  /** Makes the file durable under its final name, which it answers. */
  readonly finish: () => Promise<FileContent>;
  /** Removes the file, finished or not. */
  readonly discard: () => Promise<void>;
};

/** Starts a file in the bodies folder; rejects where the disk refuses it. */
export async function createBodyFile(folder: string): Promise<BodyFile> {
  const name = randomUUID();
  const path = join(folder, name);
  const handle = await open(`${path}.part`, 'wx', 0o600);
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    write: async (piece) => {
      await writeAll(handle, piece);
      hash.update(piece);
      bytes += piece.length;
    },
    finish: async () => {
      await handle.sync();
      await handle.close();
      await rename(`${path}.part`, path);
      await syncFolder(folder);
      return { kind: 'file', name, bytes, sha256: hash.digest('hex') };
    },
    discard: async () => {
      await handle.close().catch(() => {});
      await rm(`${path}.part`, { force: true });
      await rm(path, { force: true });
    },
  };
}

async function writeAll(handle: FileHandle, piece: Uint8Array): Promise<void> {
  let at = 0;
  while (at < piece.length) at += (await handle.write(piece, at)).bytesWritten;
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r');
  await handle.sync();
}
