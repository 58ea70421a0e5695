// The main thread's side of the database thread: collects the requests of one turn of the event loop, sends them in one message,
// and settles their promises. Keeps the one timer for what is due next.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock } from '#pipeline/contract/ports.ts';
import type { Answer, Batch, InlineContent, Kind, Opened, OpenedBodies, ReplyBatch, Request } from './requests.ts';

/** A request without its bodies' places: those are given when the batch is made. */
export type Client = {
  /** Resolves when what was asked for is durable; rejects where it could not be done (nothing of it was then). */
  readonly ask: <K extends Kind>(request: Request<K> & Request) => Promise<Answer<K>>;
  /** Puts a body into the batch being collected; use the place it answers in a request asked in the same turn. */
  readonly attach: (pieces: readonly Uint8Array[]) => InlineContent;
  /** Settles what is under way, then closes the file. */
  readonly close: () => Promise<void>;
  /** What the folder of bodies was like at the start. */
  readonly bodies: OpenedBodies;
  /** Resolves with the reason if the thread is lost: then nothing works any more, and the process should end. */
  readonly lost: Promise<Error>;
};

export type ClientOptions = {
  readonly folder: string;
  readonly clock: Clock;
  /** Limits the database to so many pages of 16 KiB, for tests of a full disk. */
  readonly maxPages?: number;
};

type Waiting = { readonly settle: (value: unknown) => void; readonly fail: (error: Error) => void };

const refusedName = 'RequestRefused';
const longestTimerMs = 60_000;

/** Starts the thread and opens the data folder; rejects where that is in use or cannot be used. */
export async function startClient({ folder, clock, maxPages }: ClientOptions): Promise<Client> {
  // Source or built: the worker is a file of the same kind.
  const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
    execArgv: [], // what a test runner was started with is not for it
    workerData: { folder, maxPages: maxPages ?? null, now: clock() },
  });
  const bodies = await opened(worker);
  const waiting = new Map<number, Waiting>();
  const wake = createWake(clock, () => void ask({ kind: 'tick' }).catch(() => {}));
  let failure: Error | null = null;
  let sequence = 0;
  const outbox = createOutbox(worker, clock);

  const ask = <K extends Kind>(request: Request<K> & Request): Promise<Answer<K>> =>
    new Promise((resolve, reject) => {
      if (failure !== null) return reject(failure);
      const number = sequence++;
      const settle = (value: unknown): void => {
        if (isAnswer<K>(request, value)) resolve(value);
      };
      waiting.set(number, { settle, fail: reject });
      outbox.add({ number, request });
    });

  const lost = new Promise<Error>((resolve) => {
    const end = (error: Error): void => {
      failure = error;
      wake.stop();
      for (const { fail } of waiting.values()) fail(error);
      waiting.clear();
      resolve(error);
    };
    worker.on('error', (error) => end(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => end(failure ?? new Error('the store is closed')));
  });

  worker.on('message', ({ replies, nextDue }: ReplyBatch) => {
    outbox.answered();
    for (const reply of replies) {
      const entry = waiting.get(reply.number);
      waiting.delete(reply.number);
      if ('error' in reply) entry?.fail(refusal(reply.error));
      else entry?.settle(reply.value);
    }
    wake.at(nextDue);
  });

  return {
    ask,
    bodies,
    lost,
    attach: outbox.attach,
    close: async () => {
      // On a full disk what is out cannot be given back; the next start takes it back.
      if (failure === null) await ask({ kind: 'close' }).catch(throwUnlessRefused);
      await lost;
    },
  };
}

/** Says whether a request was certainly not carried out; after any other error (the thread was lost) it may have been. */
export function isRefused(error: unknown): boolean {
  return error instanceof Error && error.name === refusedName;
}

function throwUnlessRefused(error: unknown): void {
  if (!isRefused(error)) throw error;
}

function refusal(text: string): Error {
  return Object.assign(new Error(text), { name: refusedName });
}

/**
 * Gathers what is asked for; sends it when the turn of the event loop is over and the thread is free: one batch at a
 * time, so that what comes up meanwhile shares one transaction and one fsync.
 */
function createOutbox(worker: Worker, clock: Clock) {
  let batch = emptyBatch();
  let isUnderWay = false;
  let isFlushing = false;

  const flush = (): void => {
    isFlushing = false;
    const message = toMessage(batch, clock());
    batch = emptyBatch();
    isUnderWay = true;
    worker.postMessage(message, [message.buffer]);
  };
  const flushSoon = (): void => {
    if (isFlushing || isUnderWay || batch.requests.length === 0) return;
    isFlushing = true;
    setImmediate(flush);
  };
  return {
    add: (request: Batch['requests'][number]): void => {
      batch.requests.push(request);
      flushSoon();
    },
    attach: (pieces: readonly Uint8Array[]): InlineContent => {
      const at = batch.bytes;
      for (const piece of pieces) {
        batch.pieces.push(piece);
        batch.bytes += piece.length;
      }
      return { kind: 'inline', at, bytes: batch.bytes - at };
    },
    answered: (): void => {
      isUnderWay = false;
      flushSoon();
    },
  };
}

function toMessage({ requests, pieces, bytes }: ReturnType<typeof emptyBatch>, now: number): Batch {
  const buffer = new ArrayBuffer(bytes);
  const target = new Uint8Array(buffer);
  let at = 0;
  for (const piece of pieces) {
    target.set(piece, at);
    at += piece.length;
  }
  return { now, buffer, requests };
}

function emptyBatch() {
  const requests: Batch['requests'][number][] = [];
  const pieces: Uint8Array[] = [];
  return { requests, pieces, bytes: 0 };
}

/** The thread is our own code, typed by the same table: what it answers is taken as it is. */
function isAnswer<K extends Kind>(_request: Request<K>, _value: unknown): _value is Answer<K> {
  return true;
}

function opened(worker: Worker): Promise<OpenedBodies> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message: Opened) => {
      worker.off('error', reject);
      if (message.opened) resolve(message.bodies);
      else reject(new Error(message.reason));
    });
  });
}

/** One timer for the next thing due, however many jobs wait. */
function createWake(clock: Clock, wake: () => void) {
  let timer: NodeJS.Timeout | undefined;
  let set: number | null = null;
  return {
    at: (due: number | null): void => {
      if (due === set) return;
      set = due;
      clearTimeout(timer);
      if (due === null) return;
      timer = setTimeout(
        () => {
          set = null;
          wake();
        },
        Math.min(longestTimerMs, Math.max(0, due - clock())),
      );
      timer.unref();
    },
    stop: (): void => clearTimeout(timer),
  };
}
