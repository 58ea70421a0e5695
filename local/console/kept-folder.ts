// A folder that is made once for each content, named by it, and kept for the next start. Those of older contents are removed.
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

/** A process reads a folder within seconds of asking for it, or of beginning to make it. */
const stillReadMs = 3_600_000;

type KeptFolder = {
  readonly parent: string;
  /** Of the content. */
  readonly name: string;
  /** Fills an empty folder. */
  readonly make: (folder: string) => Promise<void>;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
};

/**
 * The folder of this content, which is made if it is not there. Several processes may make it at once: each in a folder of its own, and
 * the first one's is kept. Folders that nobody has asked for within an hour are removed when one is made.
 */
export async function keptFolder({ parent, name, make, nowMs }: KeptFolder): Promise<string> {
  const folder = join(parent, name);
  if (!existsSync(folder)) {
    const mine = `${folder}.${process.pid}`;
    await mkdir(mine, { recursive: true });
    await make(mine);
    await rename(mine, folder).catch(() => rm(mine, { recursive: true, force: true }));
    await removeOld(parent, { except: name, beforeMs: nowMs - stillReadMs });
  }
  const asked = new Date(nowMs);
  await utimes(folder, asked, asked);
  return folder;
}

async function removeOld(
  parent: string,
  { except, beforeMs }: { readonly except: string; readonly beforeMs: number },
): Promise<void> {
  for (const name of (await readdir(parent)).filter((one) => one !== except)) {
    const folder = join(parent, name);
    const found = await stat(folder).catch(() => null); // another process may remove it at this moment
    if (found !== null && found.mtimeMs < beforeMs) await rm(folder, { recursive: true, force: true });
  }
}
