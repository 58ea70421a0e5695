// `pillarbox restore`: checks a whole backup, then makes a data folder of it. From the first write to the last that folder has a mark
// with which the service does not start: a restore that was interrupted is run again.
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { checkIntegrity, lockFolder, openDatabase } from '#local/embedded/database.ts';
import { unfinishedRestore } from '#local/embedded/folder-marks.ts';
import { checkBodies } from '#local/embedded/store/check-bodies.ts';
import type { RestoreReport, RestoreRequest } from '#ops/data-backup.ts';
import { type Manifest, names, readManifest, type SummedFile } from './backup-format.ts';
import { copyDurably, forEachOf, makeFolder, measureFile, syncTree, writeDurably } from './durable-files.ts';
import { holdJobs } from './hold-jobs.ts';

const lockName = 'lock.sqlite';
/** What a folder may hold and still count as empty: the lock, and what lies there until a killed service starts again. */
const nothing = new Set([lockName, `${lockName}-journal`, 'running.json', unfinishedRestore]);

type Mark = { readonly phase: 'making-room' | 'copying'; readonly replaced: string | null };
type Restore = {
  readonly request: RestoreRequest;
  readonly manifest: Manifest;
  readonly files: readonly SummedFile[];
};

/** Restores. Rejects, before anything is written, where the backup is not whole or the data folder is in use or not empty. */
export async function restoreBackup(request: RestoreRequest): Promise<RestoreReport> {
  const { dataFolder } = request;
  const { manifest, files } = await readManifest(request.folder);
  await verify({ request, manifest, files });
  await makeFolder(dataFolder);
  const lock = lockFolder(join(dataFolder, lockName));
  if (lock === null) throw new Error(`${dataFolder} is in use by a running Pillarbox: stop it first`);
  try {
    const mark = await makeRoom(request);
    await copyData({ request, manifest, files });
    const held = await settle({ request, manifest, files });
    await syncTree(dataFolder);
    await rm(join(dataFolder, unfinishedRestore));
    await syncTree(dataFolder);
    const { takenAt, bytes, leftOut, config } = manifest;
    const replaced = mark.replaced === null ? null : join(dataFolder, mark.replaced);
    return { takenAt, files: files.length, bytes, leftOut, config, held, replaced };
  } finally {
    lock.close();
  }
}

async function verify({ request: { folder, progress }, files }: Restore): Promise<void> {
  let done = 0;
  await forEachOf(files, async ({ path, sha256 }) => {
    const found = await measureFile(join(folder, path)).catch(() => null);
    if (found === null) throw new Error(`the backup is not whole: ${path} is missing or cannot be read`);
    if (found.sha256 !== sha256) throw new Error(`the backup is damaged: ${path} is not what was written`);
    done += 1;
    progress({ what: 'files checked', done, of: files.length });
  });
}

/** Empties the data folder, if that may be: what was there goes into a folder beside, what a restore left is removed. */
async function makeRoom({ dataFolder, replace, nowMs }: RestoreRequest): Promise<Mark> {
  const before = await readMark(dataFolder);
  const there = await contentsOf(dataFolder);
  if (before === null && there.length > 0 && !replace) {
    throw new Error(`${dataFolder} is not empty: --replace puts what it holds aside and restores over it`);
  }
  if (before?.phase === 'copying') {
    for (const name of there) if (name !== before.replaced) await rm(join(dataFolder, name), { recursive: true });
    return before;
  }
  const stamp = new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-');
  const aside = before?.replaced ?? (there.length > 0 ? `replaced-${stamp}` : null);
  await writeMark(dataFolder, { phase: 'making-room', replaced: aside });
  if (aside !== null) {
    await makeFolder(join(dataFolder, aside));
    const moving = there.filter((name) => name !== aside);
    for (const name of moving) await rename(join(dataFolder, name), join(dataFolder, aside, name));
    await syncTree(dataFolder);
  }
  const mark = { phase: 'copying', replaced: aside } as const;
  await writeMark(dataFolder, mark);
  return mark;
}

async function contentsOf(dataFolder: string): Promise<readonly string[]> {
  return (await readdir(dataFolder)).filter((name) => !nothing.has(name) && !name.startsWith('replaced-'));
}

async function readMark(dataFolder: string): Promise<Mark | null> {
  const text = await readFile(join(dataFolder, unfinishedRestore), 'utf8').catch(() => null);
  if (text === null) return null;
  const [phase, replaced = ''] = text.trim().split('\n');
  return { phase: phase === 'copying' ? 'copying' : 'making-room', replaced: replaced === '' ? null : replaced };
}

async function writeMark(dataFolder: string, { phase, replaced }: Mark): Promise<void> {
  const beside = join(dataFolder, `${unfinishedRestore}.${randomUUID()}.part`);
  await writeDurably(beside, `${phase}\n${replaced ?? ''}\n`);
  await rename(beside, join(dataFolder, unfinishedRestore));
  await syncTree(dataFolder);
}

async function copyData({ request: { folder, dataFolder, progress }, files }: Restore): Promise<void> {
  const prefix = `${names.data}/`;
  const wanted = files.filter(({ path }) => path.startsWith(prefix));
  let done = 0;
  await makeFolder(join(dataFolder, 'bodies'));
  await forEachOf(wanted, async ({ path, sha256 }) => {
    const copied = await copyDurably(join(folder, path), join(dataFolder, path.slice(prefix.length)));
    if (copied.sha256 !== sha256) throw new Error(`the backup changed while it was read: ${path}`);
    done += 1;
    progress({ what: 'files restored', done, of: wanted.length });
  });
}

/** Checks what was put there against itself, and holds what must not go out twice. Answers how many jobs are held. */
async function settle({ request, manifest }: Restore): Promise<number> {
  const database = openDatabase(join(request.dataFolder, 'pillarbox.sqlite'));
  try {
    checkWhole(database, request, manifest);
    const held = request.resumeDeliveries ? 0 : holdJobs(database, { ...manifest, nowMs: request.nowMs });
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return held;
  } finally {
    database.close();
  }
}

function checkWhole(database: DatabaseSync, { dataFolder }: RestoreRequest, manifest: Manifest): void {
  checkIntegrity(database);
  const known = new Set(manifest.leftOut.map(({ key }) => key));
  const { damaged } = checkBodies(database, join(resolve(dataFolder), 'bodies'));
  const [first] = damaged.filter(({ key }) => !known.has(key));
  if (first !== undefined) throw new Error(`the restored body of ${first.key} ${first.what}`);
}
