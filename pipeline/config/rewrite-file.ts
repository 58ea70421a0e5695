// Replaces the text of a file that several programs may change: whole or not at all, one writer at a time, and only if it is
// still what the writer has read. A kill at any moment leaves the old text or the new one.
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `changed`: another program has changed it, or is about to; read again. `before`, `mode`: its permissions before and now. */
export type Rewritten =
  | { readonly outcome: 'written'; readonly before: number; readonly mode: number }
  | { readonly outcome: 'changed' };

const staleMs = 30_000; // a writer takes milliseconds: this one was killed

/**
 * Replaces `expected` by `text`; `permitted` are the permissions that the file may keep. Its owner stays. If that is
 * impossible, or if the folder is not writable, it throws and leaves the file as it was.
 */
export async function rewriteFile(
  path: string,
  { expected, text, permitted }: { readonly expected: string; readonly text: string; readonly permitted: number },
): Promise<Rewritten> {
  const real = await realpath(path); // a link stays one
  const beside = `${real}.new`;
  const file = await openAlone(beside);
  if (file === null) return { outcome: 'changed' };
  const isAsRead = async (): Promise<boolean> => (await readFile(real, 'utf8')) === expected;
  const giveUp = async (): Promise<Rewritten> => {
    await rm(beside, { force: true });
    return { outcome: 'changed' };
  };
  try {
    if (!(await isAsRead())) return await giveUp();
    const before = await stat(real);
    const mode = before.mode & permitted & ((await hasGroup(file, before)) ? 0o777 : 0o707);
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
    if (!(await isAsRead())) return await giveUp(); // writing takes a while, and an editor knows nothing of us
    await rename(beside, real);
    await syncFolder(dirname(real));
    return { outcome: 'written', before: before.mode & 0o777, mode };
  } catch (thrown) {
    await rm(beside, { force: true });
    throw thrown;
  } finally {
    await file.close();
  }
}

/** The new file, which is also the lock of its writer; null if another program holds it. */
async function openAlone(path: string): Promise<FileHandle | null> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return await open(path, 'wx', 0o600);
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown;
      const since = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Date.now(),
      );
      if (Date.now() - since < staleMs) return null;
      await rm(path, { force: true });
    }
  }
  return null;
}

/** Gives the file its owner, or throws. Answers whether it has its group, too. */
async function hasGroup(
  file: FileHandle,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<boolean> {
  const own = await file.stat();
  if (own.uid === uid && own.gid === gid) return true;
  if (own.uid !== uid) await file.chown(uid, own.gid);
  return file.chown(uid, gid).then(
    () => true,
    () => false,
  );
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}
