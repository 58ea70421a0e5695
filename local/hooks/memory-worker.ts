// A thread beside a handler: ends its process, with what that started, if it takes too much memory, or if the service that waits for it
// is gone. The handler's own thread may be too busy to do that.
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { z } from 'zod';

const { mostBytes, parent } = z.object({ mostBytes: z.number(), parent: z.number() }).parse(workerData);
const everyMs = 100;

setInterval(() => {
  const isLarge = process.memoryUsage.rss() > mostBytes;
  const reason = `its process took more than ${mostBytes / 1_048_576} MiB of memory, and was killed`;
  if (isLarge) writeSync(3, JSON.stringify({ kind: 'failed', reason }));
  if (isLarge || process.ppid !== parent) process.kill(-process.pid, 'SIGKILL');
}, everyMs);
