// Starts a parse worker, shut in: no environment, no arguments, a bounded heap.
import { Worker } from 'node:worker_threads';
import { fromWorkerSchema } from './worker-messages.ts';

/** Starts one and waits until it is ready; `onStart` sees it at once. Rejects where it cannot start (a platform fault). */
export async function startWorker(url: URL, memoryMiB: number, onStart: (worker: Worker) => void): Promise<Worker> {
  const worker = new Worker(url, {
    env: {},
    argv: [],
    execArgv: [],
    // Left to itself, the young generation keeps some 30 MiB more once a large text has gone through.
    resourceLimits: { maxOldGenerationSizeMb: memoryMiB, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
  });
  onStart(worker);
  const { promise, resolve, reject } = Promise.withResolvers<Worker>();
  worker.on('error', reject); // stays: an error of an idle worker must not end the process
  worker.once('exit', (code) => reject(new Error(`the parse worker ended with code ${code} before it was ready`)));
  worker.once('message', (message) => {
    const { type } = fromWorkerSchema.parse(message);
    if (type === 'ready') resolve(worker);
  });
  return await promise;
}
