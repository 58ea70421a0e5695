// Space of the database file that rows have left. New rows use it first; what is much more than they will need soon goes
// back to the disk, a little at a time, so that mail coming in never waits for it.
import type { DatabaseSync } from 'node:sqlite';
import { asNumber } from '#local/embedded/database.ts';

/** 4 MiB a step. */
const pagesAtOnce = 256;
/** A fifth of the file, and 16 MiB of it in any case, stay for what comes in next. */
const keptShare = 0.2;
const keptPages = 1_024;

/** Gives a step of it back; answers whether there is more. Files made before layout 3 keep their size: they were not made for it. */
export function giveBackSpace(database: DatabaseSync): boolean {
  const free = read(database, 'freelist_count');
  const kept = Math.max(keptPages, Math.floor(read(database, 'page_count') * keptShare));
  if (free <= kept || read(database, 'auto_vacuum') !== incremental) return false;
  const pages = Math.min(pagesAtOnce, free - kept);
  database.exec(`PRAGMA incremental_vacuum(${pages})`);
  return free - pages > kept;
}

const incremental = 2;

function read(database: DatabaseSync, name: string): number {
  return asNumber(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}
