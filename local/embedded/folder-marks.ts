// Marks in the data folder for the next start. A process that ends by an error of its own leaves one: the jobs it was running are then
// more suspect than after a kill or a power cut. A restore that has begun and not ended leaves another: the folder is not
// complete, and the service does not start on it.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The mark's name in the data folder. */
export const unfinishedRestore = 'restore-unfinished';

const crashed = 'crashed';

/** Leaves the mark in the data folder. Never throws: the process is about to end anyway. */
export function leaveCrashMark(folder: string): void {
  try {
    writeFileSync(join(folder, crashed), '');
  } catch {
    // A full disk: the end counts as one of unknown cause.
  }
}

/** Whether the mark is there; it is taken away. */
export function takeCrashMark(folder: string): boolean {
  const path = join(folder, crashed);
  if (!existsSync(path)) return false;
  rmSync(path, { force: true });
  return true;
}
