// A process that ends by an error of its own notes that down on its way out, for the next start: then whatever it was working on is
// more suspect than after a kill or a power cut, of which nothing is noted.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const name = 'crashed';

/** Leaves the mark in the data folder. Never throws: the process is about to end anyway. */
export function leaveCrashMark(folder: string): void {
  try {
    writeFileSync(join(folder, name), '');
  } catch {
    // A full disk: the end counts as one of unknown cause.
  }
}

/** Whether the mark is there; it is taken away. */
export function takeCrashMark(folder: string): boolean {
  const path = join(folder, name);
  if (!existsSync(path)) return false;
  rmSync(path, { force: true });
  return true;
}
