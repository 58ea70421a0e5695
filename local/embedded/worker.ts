// The shell of the database thread: opens the file, compares it with the folder of bodies, and works off one batch after
// the other, each answered in one message.
import { existsSync, unlink } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { checkBodies } from '#local/embedded/store/check-bodies.ts';
import { asNumber, lockFolder, openDatabase } from './database.ts';
import { createDatabaseThread } from './database-thread.ts';
import { takeCrashMark, unfinishedRestore } from './folder-marks.ts';
import { checkpointWhenIdle } from './idle-checkpoint.ts';
import type { Answer, Batch, OpenedBodies, ReplyBatch } from './requests.ts';

const { folder, maxPages, now } = z
  .object({ folder: z.string(), maxPages: z.number().nullable(), now: z.number() })
  .parse(workerData);
const port = parentPort;
if (port === null) throw new Error('this file is the start of a worker thread');

const lock = lockFolder(join(folder, 'lock.sqlite'));
if (lock === null) {
  port.postMessage({ opened: false, reason: `${folder} is in use by another Pillarbox` });
} else if (existsSync(join(folder, unfinishedRestore))) {
  lock.close();
  port.postMessage({ opened: false, reason: `a restore into ${folder} was cut off: run the command restore again` });
} else {
  const database = openDatabase(join(folder, 'pillarbox.sqlite'));
  if (maxPages !== null) database.exec(`PRAGMA max_page_count = ${maxPages}`);
  const bodies = join(folder, 'bodies');
  const remove = (file: string): void => unlink(join(bodies, file), () => {});
  const thread = createDatabaseThread(database, remove, now, takeCrashMark(folder) ? 'crashed' : 'unknown');
  const { files, damaged, unfinished, orphans } = checkBodies(database, bodies);
  for (const file of unfinished) remove(file);
  // A crash leaves files without a row that nobody was told of. Where others are missing, the folder is not the one that
  // belongs to the database, or not whole: nothing is thrown away then.
  if (damaged.length === 0) for (const file of orphans) remove(file);

  const countChanges = database.prepare('SELECT total_changes() AS count');
  const idle = checkpointWhenIdle({
    checkpoint: () => database.exec('PRAGMA wal_checkpoint(PASSIVE)'),
    changes: () => asNumber(countChanges.get()?.['count']),
  });
  port.on('message', (batch: Batch) => {
    const replies = thread.run(batch);
    port.postMessage(replies, transferOf(replies));
    idle.worked();
    if (batch.requests.some(({ request }) => request.kind === 'close')) {
      idle.stop();
      port.close();
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      database.close();
      lock.close();
    }
  });
  const report: OpenedBodies = { files, damaged, orphans: orphans.length };
  port.postMessage({ opened: true, bodies: report });
}

/** Bodies that were read go over without a copy. */
function transferOf({ replies }: ReplyBatch): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const reply of replies) {
    const body = 'value' in reply ? bodyOf(reply.value) : null;
    if (body?.buffer instanceof ArrayBuffer && body.length > 0) buffers.push(body.buffer);
  }
  return buffers;
}

function bodyOf(value: Answer): Uint8Array | null {
  const isObject = typeof value === 'object' && value !== null && 'content' in value;
  return isObject && value.content instanceof Uint8Array ? value.content : null;
}
