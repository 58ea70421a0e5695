// `pillarbox backup`: a data folder as it was at one moment, the service running or not, in a folder of its own; checked
// as it is made, durable when this resolves.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, readdir, rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { backup as copyDatabase, DatabaseSync } from 'node:sqlite';
import { checkIntegrity } from '#local/embedded/database.ts';
import type { BackupReport, BackupRequest, LeftOutBody } from '#ops/data-backup.ts';
import { type Manifest, names, type SummedFile, writeSums } from './backup-format.ts';
import { copyConfig } from './copy-config.ts';
import { copyDurably, forEachOf, makeFolder, measureFile, syncTree, writeDurably } from './durable-files.ts';
import { type Snapshot, takeSnapshot } from './snapshot.ts';

/** What of a data folder is neither the database nor a body, and is part of it: keys and passwords, the certificate. */
const alongside = ['secrets', 'self-signed.pem'];
const databaseName = 'pillarbox.sqlite';
const pagesAtOnce = 1_000;

type Written = SummedFile & { readonly bytes: number };
type Work = { readonly request: BackupRequest; readonly snapshot: Snapshot; readonly written: Written[] };

/** Takes it. Rejects where the folder is not empty or the data folder holds nothing; then nothing is left of it. */
export async function takeBackup(request: BackupRequest): Promise<BackupReport> {
  const { folder } = request;
  await checkTarget(request);
  const snapshot = await takeSnapshot(request.dataFolder);
  try {
    await makeFolder(folder);
    await chmod(folder, 0o700);
    return await fill({ request, snapshot, written: [] });
  } catch (error) {
    for (const name of Object.values(names)) await rm(join(folder, name), { recursive: true, force: true });
    throw error;
  } finally {
    await snapshot.release();
  }
}

async function checkTarget({ folder, dataFolder }: BackupRequest): Promise<void> {
  const inside = relative(resolve(dataFolder), resolve(folder));
  if (!inside.startsWith('..')) throw new Error(`${folder} is in the data folder itself: name another one`);
  if (existsSync(folder) && (await readdir(folder)).length > 0)
    throw new Error(`${folder} is not empty: a backup needs a folder of its own`);
}

async function fill(work: Work): Promise<BackupReport> {
  const { request, snapshot, written } = work;
  const { folder } = request;
  await addDatabase(work);
  const altered = await addBodies(work);
  const bodies = written.length - 1;
  await addAlongside(work);
  const notIncluded = await addConfig(work);
  written.sort((a, b) => (a.path < b.path ? -1 : 1));
  const sums = writeSums(written);
  await writeDurably(join(folder, names.sums), sums);
  const report: BackupReport = {
    takenAt: new Date(request.nowMs).toISOString(),
    files: written.length,
    bodies,
    bytes: written.reduce((sum, { bytes }) => sum + bytes, 0),
    config: request.configPath !== null,
    leftOut: [...snapshot.leftOut, ...altered],
    notIncluded,
  };
  await syncTree(folder);
  const sumsHash = createHash('sha256').update(sums).digest('hex');
  const manifest = { format: 'pillarbox-backup/1', ...report, sums: sumsHash } satisfies Readonly<
    Record<keyof Manifest, unknown>
  >;
  await writeDurably(join(folder, names.manifest), `${JSON.stringify(manifest, null, 2)}\n`);
  await syncTree(folder);
  return report;
}

async function addDatabase({ request: { folder, progress }, snapshot, written }: Work): Promise<void> {
  const path = join(folder, names.data, databaseName);
  await makeFolder(join(folder, names.data, 'bodies'));
  await writeDurably(path, ''); // SQLite would make it readable for others
  await copyDatabase(snapshot.database, path, {
    rate: pagesAtOnce,
    progress: ({ totalPages, remainingPages }) =>
      progress({ what: 'database pages', done: totalPages - remainingPages, of: totalPages }),
  });
  const copy = new DatabaseSync(path);
  try {
    checkIntegrity(copy);
  } finally {
    copy.close();
  }
  written.push({ path: `${names.data}/${databaseName}`, ...(await measureFile(path, { sync: true })) });
}

/** Answers what turned out to be other bytes than those that were stored: that is not in the backup. */
async function addBodies({ request: { folder, progress }, snapshot, written }: Work): Promise<readonly LeftOutBody[]> {
  const altered: LeftOutBody[] = [];
  let done = 0;
  await forEachOf(snapshot.bodies, async (body) => {
    const path = `${names.data}/bodies/${body.name}`;
    const copied = await copyDurably(body.path, join(folder, path));
    const isSame = copied.bytes === body.bytes && (body.sha256 === null || copied.sha256 === body.sha256);
    if (isSame) written.push({ path, ...copied });
    else {
      await rm(join(folder, path));
      altered.push({ key: body.key, why: `bodies/${body.name} is not what was stored` });
    }
    done += 1;
    progress({ what: 'bodies', done, of: snapshot.bodies.length });
  });
  return altered;
}

async function addAlongside({ request: { dataFolder, folder }, written }: Work): Promise<void> {
  for (const entry of alongside) {
    for (const name of await filesOf(dataFolder, entry)) {
      const path = `${names.data}/${name}`;
      written.push({ path, ...(await copyDurably(join(dataFolder, name), join(folder, path))) });
    }
  }
}

async function addConfig({ request: { configPath, folder }, written }: Work): Promise<readonly string[]> {
  if (configPath === null) return [];
  const { files, notIncluded } = await copyConfig(configPath, join(folder, names.config));
  written.push(...files.map((file) => ({ ...file, path: `${names.config}/${file.path}` })));
  return notIncluded;
}

/** The file itself, or all files of the folder, below it too; none where there is no such entry. */
async function filesOf(folder: string, entry: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries.find(({ name }) => name === entry);
  if (found === undefined) return [];
  if (found.isFile()) return [entry];
  if (!found.isDirectory()) return [];
  const inner = await readdir(join(folder, entry), { withFileTypes: true, recursive: true });
  return inner.filter((one) => one.isFile()).map((one) => relative(folder, join(one.parentPath, one.name)));
}
