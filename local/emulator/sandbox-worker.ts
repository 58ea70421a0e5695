// Inside a sandbox: a thread with an environment of its own that imports one bundle and calls its handler, as Lambda
// would. Events come in and answers go out as messages.
import { enableCompileCache, flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { setClockAhead } from './clock-ahead.ts';
import type { FromSandbox, SandboxStart, ToSandbox } from './sandbox-messages.ts';

const { file, aheadMs, cache }: SandboxStart = workerData;
if (parentPort === null) throw new Error('sandbox-worker.ts runs as a worker thread');
const port = parentPort;

setClockAhead(aheadMs);
// What the process has is not a thread's: each start would compile the bundle anew.
if (cache !== null) enableCompileCache(cache);
const bundle: unknown = await import(file);
flushCompileCache();
const handler = handlerOf(bundle);

port.on('message', (order: ToSandbox) => {
  if (order.kind === 'clock') setClockAhead(order.aheadMs);
  else void invoke(order.id, order.event);
});

async function invoke(id: number, event: unknown): Promise<void> {
  try {
    say({ kind: 'answer', id, answer: await handler(event) });
  } catch (thrown) {
    say({ kind: 'threw', id, error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) });
  }
}

function handlerOf(bundle: unknown): (event: unknown) => Promise<unknown> {
  if (typeof bundle === 'object' && bundle !== null && 'handler' in bundle) {
    const { handler } = bundle;
    if (typeof handler === 'function') return async (event) => handler(event);
  }
  throw new Error(`${file} exports no handler`);
}

function say(message: FromSandbox): void {
  port.postMessage(message);
}
