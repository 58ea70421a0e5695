// What must survive a power cut is on the disk before it is answered. No test can cut the power: these look at what is asked
// of the disk, and when.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openDatabase } from '#local/embedded/database.ts';
import { createDatabaseThread } from '#local/embedded/database-thread.ts';
import type { NewJob, NewObject, Request } from '#local/embedded/requests.ts';
import { createBodyFile } from '#local/embedded/store/body-files.ts';

test('a body is synced whole before it gets its name, and its folder after that', async (t) => {
  const folder = folderOf(t);
  const synced = await watchSyncs(t, folder);
  const file = await createBodyFile(folder);
  await file.write(Buffer.alloc(300_000));
  await file.write(Buffer.alloc(5));
  assert.deepEqual(synced, []);
  const { name } = await file.finish();
  assert.deepEqual(synced, [
    { path: join(folder, `${name}.part`), bytes: 300_005, names: [`${name}.part`] },
    { path: folder, bytes: null, names: [name] },
  ]);
});

const object: NewObject = {
  key: 'raw/x',
  contentType: 'message/rfc822',
  metadata: '{}',
  content: { kind: 'inline', at: 0, bytes: 4 },
  condition: null,
};
const job: NewJob = { queue: 'received', body: '{}', messageId: 'x', group: '', due: 0 };
const given = { metadata: '{}', at: 0, bytes: 4, job: '{}', messageId: 'x', group: '', due: 0 };

const durable: readonly Request[] = [
  { kind: 'accept', objects: [object], job },
  { kind: 'acceptRow', key: 'raw/y', ...given },
  { kind: 'put', object },
  { kind: 'delete', key: 'raw/x', ifMatch: null },
  { kind: 'send', job },
  { kind: 'nack', handle: 1, receiveCount: 1, retryAt: 5, reason: 'x', isOurFault: false, tell: [] },
  { kind: 'redrive', queue: 'received' },
];

for (const request of durable) {
  test(`${request.kind} is synced with its commit, alone and beside what need not be`, async (t) => {
    for (const requests of [[request], [{ kind: 'ack', handles: [99] } as const, request]]) {
      const { run, levels } = threadOver(folderOf(t));
      run([{ kind: 'ack', handles: [98] }]);
      run(requests);
      assert.deepEqual(levels, ['soon', 'synced']);
    }
  });
}

/** Each fsync of a file below the folder: which, its size then, and what the folder held then. */
async function watchSyncs(t: TestContext, folder: string) {
  const synced: { path: string; bytes: number | null; names: readonly string[] }[] = [];
  const handle = await open(folder, 'r');
  const kind: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const { sync } = kind;
  t.mock.method(kind, 'sync', async function (this: FileHandle) {
    const path = readlinkSync(`/proc/self/fd/${this.fd}`);
    const bytes = path === folder ? null : statSync(path).size;
    await sync.call(this);
    synced.push({ path, bytes, names: readdirSync(folder) });
  });
  return synced;
}

/** The database thread's work in this thread; `levels`: what SQLite had been told to do at each commit. */
function threadOver(folder: string) {
  const database = openDatabase(join(folder, 'pillarbox.sqlite'));
  const levels: string[] = [];
  const exec = database.exec.bind(database);
  const pragma = (name: string) => database.prepare(`PRAGMA ${name}`).get()?.[name];
  assert.equal(pragma('journal_mode'), 'wal');
  database.exec = (sql) => {
    // 2 (FULL): the log is synced with each commit. 1 (NORMAL): with the next one that is.
    if (sql === 'COMMIT') levels.push(pragma('synchronous') === 2 ? 'synced' : 'soon');
    exec(sql);
  };
  const thread = createDatabaseThread(database, () => {}, 0);
  let number = 0;
  const run = (requests: readonly Request[]) =>
    thread.run({
      now: 0,
      buffer: new ArrayBuffer(4),
      requests: requests.map((request) => ({ number: number++, request })),
    });
  return { run, levels };
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-power-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
