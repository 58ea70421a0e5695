// The parse worker with a fault to order: a message that says so burns time or memory, or breaks the thread.
import { parentPort } from 'node:worker_threads';
import type { ToWorker } from '#functions/parse/worker/worker-messages.ts';

parentPort?.on('message', (message: ToWorker) => {
  if (message.type !== 'input' || message.bytes === null) return;
  const text = Buffer.from(message.bytes).toString('latin1');
  if (text.includes('please-burn')) for (;;) {}
  if (text.includes('please-crash')) throw new Error('it broke');
  if (text.includes('please-exit')) process.exit(3);
  if (text.includes('please-fill')) {
    const filled = Array.from({ length: 1_100 }, (_, m) => Array.from({ length: 10_000 }, (_, n) => n + m + 0.5));
    if (filled.length === 0) throw new Error('nothing was filled');
  }
  if (text.includes('please-hoard')) {
    const hoard: number[][] = [];
    for (;;) hoard.push(Array.from({ length: 10_000 }, (_, n) => n + hoard.length));
  }
});
await import('#functions/parse/worker/parse-worker.ts');
