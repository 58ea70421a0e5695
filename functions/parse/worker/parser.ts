// The pool of parse workers: keeps hostile mail from ordinary mail. Two lanes: mail that turns out to be slow (or is
// very large) goes on in the heavy lane, so that what is quick never waits behind it for more than a moment. A worker
// that is over its budget of time or memory is ended and another takes its place when one is needed.
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
  /** How long a message may keep a place in the ordinary lane (400). */
  readonly softMs?: number;
  /** A message of more bytes is heavy from the start (4 MiB). */
  readonly heavyBytes?: number;
  /** The worker's entry: `parse-worker.ts` beside this file, or in a bundle `parse-worker.mjs` beside that. */
  readonly workerUrl?: URL;
};

/** Messages of at most so many bytes are fetched before they have a place. */
const earlyBytes = 262_144;

type Lane = 'ordinary' | 'heavy';
type Entry = {
  readonly request: ParseRequest;
  readonly settled: PromiseWithResolvers<ParsedMessage>;
  lane: Lane;
};
/** A worker and how many messages it has been given. */
type Hand = { readonly worker: Worker; readonly memoryMiB: number; jobs: number };

type Pool = {
  readonly options: Required<ParserOptions>;
  readonly waiting: Readonly<Record<Lane, Entry[]>>;
  readonly running: Record<Lane, number>;
  readonly idle: Hand[];
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

/** A small message is fetched while it waits for its place: no worker stands idle for the store. */
function openedEarly(request: ParseRequest): ParseRequest {
  if (request.bytes > earlyBytes) return request;
  let early: ReturnType<ParseRequest['open']> | null = request.open();
  early.catch(() => {}); // told to whoever asks for it
  const open = () => {
    const opened = early ?? request.open();
    early = null;
    return opened;
  };
  return { ...request, open };
}

/** Run from source, the worker is source too; in a bundle it is a second file beside the first. */
function defaultWorkerUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './parse-worker.ts' : './parse-worker.mjs', import.meta.url);
}

/** Starts whatever has a place. */
function dispatch(pool: Pool): void {
  const places = { ordinary: pool.options.workers, heavy: pool.options.heavyWorkers };
  for (const lane of ['ordinary', 'heavy'] as const) {
    while (pool.running[lane] < places[lane]) {
      const entry = takeNext(pool, lane);
      if (entry === undefined) break;
      pool.running[lane] += 1;
      run(pool, entry).catch(entry.settled.reject);
    }
  }
}

/** The smallest goes first, since what takes long is not small; every fourth time the oldest, so that each has its turn. */
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
  let hand: Hand | null = null;
  let outcome: SessionOutcome | null = null;
  try {
    hand = takeIdle(pool, entry.request) ?? (await hire(pool, entry.request));
    outcome = await converse(pool, entry, hand);
  } finally {
    pool.running[entry.lane] -= 1;
    if (hand !== null) putAway(pool, hand, outcome?.outcome === 'parsed');
    if (outcome?.outcome === 'evicted') {
      entry.lane = 'heavy';
      pool.waiting.heavy.push(entry);
    }
    dispatch(pool);
  }
  if (outcome.outcome !== 'evicted') entry.settled.resolve(outcome.message);
}

/** A heap cannot be changed: workers with another one than is configured now are ended. */
function takeIdle(pool: Pool, { memoryMiB }: ParseRequest): Hand | undefined {
  for (;;) {
    const hand = pool.idle.pop();
    if (hand === undefined || hand.memoryMiB === memoryMiB) return hand;
    end(hand.worker);
  }
}

async function hire(pool: Pool, { memoryMiB }: ParseRequest): Promise<Hand> {
  const worker = await startWorker(pool.options.workerUrl, memoryMiB, (started) => {
    pool.workers.add(started);
    started.once('exit', () => {
      pool.workers.delete(started);
      const at = pool.idle.findIndex((hand) => hand.worker === started);
      if (at >= 0) pool.idle.splice(at, 1);
    });
  });
  return { worker, memoryMiB, jobs: 0 };
}

/** Starts a worker, shut in (no environment, no arguments, a bounded heap), and waits until it is ready; `onStart` sees it at once. */
async function startWorker(url: URL, memoryMiB: number, onStart: (worker: Worker) => void): Promise<Worker> {
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

function converse(pool: Pool, entry: Entry, hand: Hand): Promise<SessionOutcome> {
  hand.jobs += 1;
  hand.worker.ref();
  return runSession(entry.request, {
    worker: hand.worker,
    job: hand.jobs,
    budgetMs: entry.request.budgetMs,
    softMs: entry.lane === 'ordinary' ? pool.options.softMs : null,
    mayGoOn: () => moveToHeavy(pool, entry),
  });
}

/** Where the heavy lane has room, a slow message goes over to it with its worker; else it must begin anew there. */
function moveToHeavy(pool: Pool, entry: Entry): boolean {
  if (pool.running.heavy >= pool.options.heavyWorkers) return false;
  pool.running.ordinary -= 1;
  pool.running.heavy += 1;
  entry.lane = 'heavy';
  dispatch(pool);
  return true;
}

/** A worker that finished its message waits for the next one; any other is ended. */
function putAway(pool: Pool, hand: Hand, isFit: boolean): void {
  const isWanted = pool.idle.length < pool.options.workers && pool.workers.has(hand.worker) && !pool.closed;
  if (isFit && isWanted) {
    hand.worker.unref();
    pool.idle.push(hand);
  } else end(hand.worker);
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
