// A folder as a container or a function finds it: owned by root, readable by all, writable by nobody; and who runs there.
import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Whom a process runs as; empty where this test has no right to become somebody else. */
export type Person = { readonly uid?: number; readonly gid?: number };

/** `1000:1000` as a person; only root may become one. */
export function personOf(user: string): Person {
  const [uid, gid] = user.split(':').map(Number);
  if (uid === undefined || gid === undefined || Number.isNaN(uid + gid))
    throw new Error(`${user} is not given by number`);
  return isRoot() ? { uid, gid } : {};
}

/** Takes the right to write from a folder and all in it; answers the folder. */
export function withoutWriteAccess(folder: string): string {
  for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o444);
  chmodSync(folder, 0o555);
  return folder;
}

/** Root, and not only in a user namespace where nobody else exists. */
function isRoot(): boolean {
  return process.getuid?.() === 0 && process.env['PILLARBOX_TEST_ONLY_ROOT'] === undefined;
}
