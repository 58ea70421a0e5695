// The pool of parse workers. It has two lanes, so that hostile mail does not delay ordinary mail: a message that turns out to be slow,
// or is very large, goes on in the heavy lane. A worker that exceeds its budget of time or memory is ended, and replaced
// when another one is needed.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ParsedMessage, type ParseRequest, runSession, type SessionOutcome } from './parse-session.ts';
import { fromWorkerSchema } from './worker-messages.ts';

/** Parses messages, several at once; `close` ends the workers, and what is still being parsed rejects. */
export type Parser = {
  readonly parse: (request: ParseRequest) => Promise<ParsedMessage>;
  readonly close: () => Promise<void>;
};

/** All optional. Times are milliseconds. */
export type ParserOptions = {
  /** Workers for ordinary mail (2), and for slow mail (2). */
  readonly workers?: number;
  readonly heavyWorkers?: number;
  /** How long a message may hold a slot in the ordinary lane (400). */
  readonly softMs?: number;
  /** A message of more bytes is heavy from the start (4 MiB). */
  readonly heavyBytes?: number;
  /** How much of a processor all of them have (1): budgets are times of a whole one. */
  readonly processorShare?: number;
  /** The worker's entry: `parse-worker` beside this file if left out. */
  readonly workerUrl?: URL;
};

/** Messages of at most so many bytes are fetched before they have a slot. */
const earlyBytes = 262_144;

type Lane = 'ordinary' | 'heavy';
type Entry = {
  readonly request: ParseRequest;
  readonly settled: PromiseWithResolvers<ParsedMessage>;
  lane: Lane;
};
/** A worker and how many messages it has been given. */
type PooledWorker = { readonly worker: Worker; readonly memoryMiB: number; jobs: number };

type Pool = {
  readonly options: Required<ParserOptions>;
  readonly waiting: Readonly<Record<Lane, Entry[]>>;
  readonly running: Record<Lane, number>;
  readonly idle: PooledWorker[];
  readonly workers: Set<Worker>;
  /** How many entries have been taken off the queues. */
  taken: number;
  closed: boolean;
};

/** Makes a parser. Workers are started when there is work; idle ones keep no process alive. */
export function createParser(options: ParserOptions = {}): Parser {
  const pool: Pool = {
    options: {
      workers: 2,
      heavyWorkers: 2,
      softMs: 400,
      heavyBytes: 4_194_304,
      processorShare: 1,
      workerUrl: defaultWorkerUrl(),
      ...options,
    },
    waiting: { ordinary: [], heavy: [] },
    running: { ordinary: 0, heavy: 0 },
    idle: [],
    workers: new Set(),
    taken: 0,
    closed: false,
  };
  return {
    parse: (request) => {
      if (pool.closed) return Promise.reject(new Error('the parser is closed'));
      const lane = request.bytes > pool.options.heavyBytes ? 'heavy' : 'ordinary';
      const entry: Entry = { request: openedEarly(request), settled: Promise.withResolvers(), lane };
      pool.waiting[lane].push(entry);
      dispatch(pool);
      return entry.settled.promise;
    },
    close: () => close(pool),
  };
}

/** A small message is fetched while it waits for its slot, so that no worker waits for the store. */
function openedEarly(request: ParseRequest): ParseRequest {
  if (request.bytes > earlyBytes) return request;
  let early: ReturnType<ParseRequest['open']> | null = request.open();
  early.catch(() => {}); // `open` rejects with it
  const open = () => {
    const opened = early ?? request.open();
    early = null;
    return opened;
  };
  return { ...request, open };
}

/** Source, built or bundled: the worker is a second file of the same kind beside this one. */
function defaultWorkerUrl(): URL {
  return new URL(`./parse-worker${extname(import.meta.url)}`, import.meta.url);
}

/** Starts as many messages as there are free slots. */
function dispatch(pool: Pool): void {
  const slots = { ordinary: pool.options.workers, heavy: pool.options.heavyWorkers };
  for (const lane of ['ordinary', 'heavy'] as const) {
    while (pool.running[lane] < slots[lane]) {
      const entry = takeNext(pool, lane);
      if (entry === undefined) break;
      pool.running[lane] += 1;
      run(pool, entry).catch(entry.settled.reject);
    }
  }
}

/** The smallest goes first, because small messages are quick; every fourth time the oldest, so that none starves. */
function takeNext(pool: Pool, lane: Lane): Entry | undefined {
  const queue = pool.waiting[lane];
  pool.taken += 1;
  if (pool.taken % 4 === 0) return queue.shift();
  let smallest = 0;
  for (const [at, { request }] of queue.entries()) {
    if (request.bytes < (queue[smallest]?.request.bytes ?? 0)) smallest = at;
  }
  return queue.splice(smallest, 1)[0];
}

async function run(pool: Pool, entry: Entry): Promise<void> {
  let pooled: PooledWorker | null = null;
  let outcome: SessionOutcome | null = null;
  try {
    pooled = takeIdle(pool, entry.request) ?? (await acquireWorker(pool, entry.request));
    outcome = await converse(pool, entry, pooled);
  } finally {
    pool.running[entry.lane] -= 1;
    if (pooled !== null) releaseWorker(pool, pooled, outcome?.outcome === 'parsed');
    if (outcome?.outcome === 'evicted') {
      entry.lane = 'heavy';
      pool.waiting.heavy.push(entry);
    }
    dispatch(pool);
  }
  if (outcome.outcome !== 'evicted') entry.settled.resolve(outcome.message);
}

/** The heap of a worker cannot be changed: idle workers whose heap is not the configured one are ended. */
function takeIdle(pool: Pool, { memoryMiB }: ParseRequest): PooledWorker | undefined {
  for (;;) {
    const pooled = pool.idle.pop();
    if (pooled === undefined || pooled.memoryMiB === memoryMiB) return pooled;
    end(pooled.worker);
  }
}

async function acquireWorker(pool: Pool, { memoryMiB }: ParseRequest): Promise<PooledWorker> {
  const worker = await startWorker(pool.options.workerUrl, memoryMiB, (started) => {
    pool.workers.add(started);
    started.once('exit', () => {
      pool.workers.delete(started);
      const at = pool.idle.findIndex(({ worker: idle }) => idle === started);
      if (at >= 0) pool.idle.splice(at, 1);
    });
  });
  return { worker, memoryMiB, jobs: 0 };
}

/** Starts a worker without environment and arguments, with a bounded heap, and waits until it is ready. `onStart` gets it at once. */
async function startWorker(url: URL, memoryMiB: number, onStart: (worker: Worker) => void): Promise<Worker> {
  const worker = new Worker(url, {
    env: {},
    argv: [],
    execArgv: [],
    // Without a limit the young generation keeps some 30 MiB more after a large text.
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

function converse(pool: Pool, entry: Entry, pooled: PooledWorker): Promise<SessionOutcome> {
  pooled.jobs += 1;
  pooled.worker.ref();
  const { softMs, processorShare } = pool.options;
  return runSession(entry.request, {
    worker: pooled.worker,
    job: pooled.jobs,
    softMs: entry.lane === 'ordinary' ? softMs / processorShare : null,
    hardMs: entry.request.budgetMs / processorShare,
    mayGoOn: () => moveToHeavy(pool, entry),
  });
}

/** If the heavy lane has a free slot, a slow message goes on there with its worker; if not, it begins anew there later. */
function moveToHeavy(pool: Pool, entry: Entry): boolean {
  if (pool.running.heavy >= pool.options.heavyWorkers) return false;
  pool.running.ordinary -= 1;
  pool.running.heavy += 1;
  entry.lane = 'heavy';
  dispatch(pool);
  return true;
}

/** A worker that finished its message waits for the next one; any other is ended. */
function releaseWorker(pool: Pool, pooled: PooledWorker, isFit: boolean): void {
  const isWanted = pool.idle.length < pool.options.workers && pool.workers.has(pooled.worker) && !pool.closed;
  if (isFit && isWanted) {
    pooled.worker.unref();
    pool.idle.push(pooled);
  } else end(pooled.worker);
}

/** Ends a worker, also one that is in an endless loop. */
function end(worker: Worker): void {
  worker.terminate().catch(() => {});
}

async function close(pool: Pool): Promise<void> {
  pool.closed = true;
  const left = [...pool.waiting.ordinary.splice(0), ...pool.waiting.heavy.splice(0)];
  for (const entry of left) entry.settled.reject(new Error('the parser is closed'));
  pool.idle.length = 0;
  await Promise.all([...pool.workers].map((worker) => worker.terminate()));
}
