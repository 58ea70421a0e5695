// The parse worker's entry. It reads one message at a time: bytes come in, parts go out, with a window each way, so that neither
// side holds a whole message. It has no environment, no store and no network: hostile bytes reach only the parser.
import { parentPort } from 'node:worker_threads';
import { windows } from '#functions/parse/limits.ts';
import type { ObjectWriter } from '#functions/parse/mime/read-attachment.ts';
import { readMessage } from '#functions/parse/mime/read-message.ts';
import type { FromWorker, ObjectStart, ToWorker } from './worker-messages.ts';

type Waiting = {
  readonly job: number;
  readonly inputs: Uint8Array[];
  /** All of the message is in `inputs`, or was. */
  isWhole: boolean;
  readonly wakers: Set<() => void>;
  sent: number;
  taken: number;
};

if (parentPort === null) throw new Error('parse-worker.ts runs as a worker thread');
const port = parentPort;
let current: Waiting = startMessage(1);

port.on('message', (message: ToWorker) => {
  if (message.job !== current.job) return;
  if (message.type === 'input') {
    current.inputs.push(message.bytes);
    current.isWhole = message.isLast;
  } else current.taken += message.bytes;
  for (const wake of current.wakers) wake();
  current.wakers.clear();
});
say({ type: 'ready' });

/** Waits for the next message's bytes, reads it, sends what it found, and begins anew. */
function startMessage(job: number): Waiting {
  const waiting: Waiting = { job, inputs: [], isWhole: false, wakers: new Set(), sent: 0, taken: 0 };
  void run(waiting);
  return waiting;
}

async function run(waiting: Waiting): Promise<void> {
  const done = await readMessage(inputOf(waiting), {
    head: say,
    open: (start) => openObject(waiting, start),
  });
  current = startMessage(waiting.job + 1);
  say(done);
}

function openObject(waiting: Waiting, start: ObjectStart): ObjectWriter {
  const of = start.kind;
  say({ type: 'object', start });
  return {
    write: async (bytes) => {
      const own = Uint8Array.from(bytes);
      waiting.sent += own.length;
      say({ type: 'chunk', of, bytes: own }, [own.buffer]);
      await until(waiting, () => waiting.sent - waiting.taken < windows.outputBytes);
    },
    end: () => say({ type: 'object-end', of }),
  };
}

async function* inputOf(waiting: Waiting): AsyncGenerator<Uint8Array> {
  for (;;) {
    await until(waiting, () => waiting.inputs.length > 0 || waiting.isWhole);
    const bytes = waiting.inputs.shift();
    if (bytes === undefined) return;
    yield bytes;
    if (!waiting.isWhole) say({ type: 'more' });
  }
}

async function until(waiting: Waiting, isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    await new Promise<void>((resolve) => {
      waiting.wakers.add(resolve);
    });
  }
}

function say(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, [...transfer]);
}
