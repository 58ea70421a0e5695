// A snapshot of a data folder while the service works: a read transaction fixes the rows, and a hard link keeps each body that they
// name before anything can remove it.
import { randomUUID } from 'node:crypto';
import { constants, copyFileSync, linkSync, mkdirSync, statSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { asNumber, asText, lockFolder, openDatabase } from '#local/embedded/database.ts';
import { lengthProblem } from '#local/embedded/store/read-body-file.ts';
import type { LeftOutBody } from '#ops/data-backup.ts';

/** A body of the moment: `path` is where it is held. */
export type HeldBody = {
  readonly key: string;
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string | null;
};

/** `database` reads the moment, until `release`, which lets go of the bodies too. */
export type Snapshot = {
  readonly database: DatabaseSync;
  readonly bodies: readonly HeldBody[];
  readonly leftOut: readonly LeftOutBody[];
  readonly release: () => Promise<void>;
};

const stagingName = /^backup-[0-9a-f-]{36}\.staging$/;
const mostAttempts = 20;

/** Takes it. Rejects where there is no data folder, or its rows change faster than its bodies can be held. */
export async function takeSnapshot(dataFolder: string): Promise<Snapshot> {
  const path = join(dataFolder, 'pillarbox.sqlite');
  if (statSync(path, { throwIfNoEntry: false }) === undefined) throw new Error(`there is no mail in ${dataFolder}`);
  await removeStaleStaging(dataFolder);
  bringUpToDate(dataFolder, path);
  const staging = join(dataFolder, `backup-${randomUUID()}.staging`);
  mkdirSync(join(staging, 'bodies'), { recursive: true, mode: 0o700 });
  const lock = lockFolder(join(staging, 'lock.sqlite'));
  const [database, live] = [new DatabaseSync(path, { timeout: 5_000 }), new DatabaseSync(path, { timeout: 5_000 })];
  const release = async (): Promise<void> => {
    database.close();
    lock?.close();
    await rm(staging, { recursive: true, force: true });
  };
  try {
    return { database, release, ...holdBodies({ database, live, bodies: join(dataFolder, 'bodies'), staging }) };
  } catch (error) {
    await release();
    throw error;
  } finally {
    live.close();
  }
}

/** What backups left behind that were killed; one that is at work holds its folder's lock. */
export async function removeStaleStaging(dataFolder: string): Promise<void> {
  for (const name of await readdir(dataFolder)) {
    if (!stagingName.test(name)) continue;
    const lock = lockFolder(join(dataFolder, name, 'lock.sqlite'));
    if (lock === null) continue;
    lock.close();
    await rm(join(dataFolder, name), { recursive: true, force: true });
  }
}

/** The database of a service that does not run may be of an earlier version. */
function bringUpToDate(dataFolder: string, path: string): void {
  const lock = lockFolder(join(dataFolder, 'lock.sqlite'));
  if (lock === null) return;
  openDatabase(path).close();
  lock.close();
}

type Places = {
  readonly database: DatabaseSync;
  readonly live: DatabaseSync;
  readonly bodies: string;
  readonly staging: string;
};

/** Begins the moment anew whenever a body was removed between its row's being read and its being held. */
function holdBodies(places: Places): Pick<Snapshot, 'bodies' | 'leftOut'> {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    places.database.exec('BEGIN');
    const held = tryToHold(places);
    if (held !== null) return held;
    places.database.exec('ROLLBACK');
  }
  throw new Error('mail is being deleted faster than it can be backed up: try again later');
}

/** Null where a file has gone together with its row since the moment began. */
function tryToHold({ database, live, bodies, staging }: Places): Pick<Snapshot, 'bodies' | 'leftOut'> | null {
  const stillNamed = live.prepare('SELECT 1 FROM objects WHERE file = ?');
  const held: HeldBody[] = [];
  const leftOut: LeftOutBody[] = [];
  for (const row of database.prepare('SELECT key, file, bytes, sha256 FROM objects WHERE file IS NOT NULL').iterate()) {
    const body = bodyOf(row, staging);
    if (!hold(join(bodies, body.name), body.path)) {
      if (stillNamed.get(body.name) === undefined) return null;
      leftOut.push({ key: body.key, why: `there is no file bodies/${body.name}` });
      continue;
    }
    const stat = statSync(body.path);
    const problem = lengthProblem({ size: stat.size, isFile: stat.isFile() }, body.bytes);
    if (problem === null) held.push(body);
    else leftOut.push({ key: body.key, why: `bodies/${body.name} ${problem}` });
  }
  return { bodies: held, leftOut };
}

function bodyOf(row: Record<string, SQLOutputValue>, staging: string): HeldBody {
  const name = asText(row['file']);
  const sha256 = typeof row['sha256'] === 'string' ? row['sha256'] : null;
  return { key: asText(row['key']), name, path: join(staging, 'bodies', name), bytes: asNumber(row['bytes']), sha256 };
}

/** Gives the file a second name; answers false where it is not there. On file systems without that it is copied. */
function hold(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return true; // held in the attempt before
    if (code === 'ENOENT') return false;
    const isFolder = statSync(from, { throwIfNoEntry: false })?.isDirectory() === true;
    if (isFolder) mkdirSync(to);
    else copyFileSync(from, to, constants.COPYFILE_FICLONE);
    return true;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
