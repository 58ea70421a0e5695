// One message on one parse worker, seen from the stage: sends the bytes, receives the parts, and runs a stopwatch. The stopwatch
// counts only while the worker has all it needs, so a slow store does not use up the budget.
import type { Worker } from 'node:worker_threads';
import { windows } from '#functions/parse/limits.ts';
import type { ProblemCode } from '#functions/parse/problems.ts';
import { errorMessage } from '#mail/problem.ts';
import { type Channel, createChannel } from './channel.ts';
import { createStopwatch, type Stopwatch } from './stopwatch.ts';
import {
  type FromWorker,
  fromWorkerSchema,
  type ObjectKind,
  type ObjectStart,
  type ParsedBody,
  type ParsedHead,
  type ParsedProblem,
  type ToWorker,
} from './worker-messages.ts';

/** A message to parse. `keep` stores one object; a throw of `open` or `keep` fails the whole (a platform fault). */
export type ParseRequest = {
  readonly bytes: number;
  /** The message from its first byte; may be asked again when the message is begun anew on another worker. */
  readonly open: () => Promise<AsyncIterable<Uint8Array>>;
  readonly keep: (start: ObjectStart, content: AsyncIterable<Uint8Array>) => Promise<void>;
  /** How long a whole processor may be busy with it, and the heap that it may use: `parse` of the configuration. */
  readonly budgetMs: number;
  readonly memoryMiB: number;
};

/** What was read. `head` is null where the worker did not get through the header. */
export type ParsedMessage = {
  readonly head: ParsedHead | null;
  readonly text: ParsedBody;
  readonly html: ParsedBody;
  readonly problems: readonly ParsedProblem[];
};

/** `parsed`: the worker is free again. `broken`: it is of no use any more and must be ended. `evicted`: begin anew. */
export type SessionOutcome =
  | { readonly outcome: 'parsed'; readonly message: ParsedMessage }
  | { readonly outcome: 'broken'; readonly message: ParsedMessage }
  | { readonly outcome: 'evicted' };

export type SessionOptions = {
  readonly worker: Worker;
  /** The number of this message on this worker, from 1. */
  readonly job: number;
  /** Asked once the worker has been busy for softMs: says whether it may go on, or must give up its slot. */
  readonly softMs: number | null;
  /** How long the worker may be busy. */
  readonly hardMs: number;
  readonly mayGoOn: () => boolean;
};

/** What is known and under way. `unread`: chunks sent and not taken in; `untaken`: bytes come back and not stored yet. */
type Session = {
  readonly request: ParseRequest;
  readonly options: SessionOptions;
  readonly settled: PromiseWithResolvers<SessionOutcome>;
  readonly keeping: Set<Promise<void>>;
  readonly problems: ParsedProblem[];
  head: ParsedHead | null;
  /** The objects that are coming, one of a kind at a time. */
  readonly objects: Map<ObjectKind, Channel>;
  unread: number;
  untaken: number;
  inputEnded: boolean;
  finished: boolean;
  wakeFeeder: () => void;
  stopwatch: Stopwatch;
};

/** Runs the conversation to its end. Rejects only for platform faults; the worker must then be ended too. */
export async function runSession(request: ParseRequest, options: SessionOptions): Promise<SessionOutcome> {
  const session = createSession(request, options);
  const { worker } = options;
  const onMessage = (value: unknown): void => hear(session, value);
  const onError = (error: unknown): void => finish(session, broken(session, ...explain(error)));
  const onExit = (code: number): void =>
    finish(session, broken(session, 'parse-failed', `the parser ended with code ${code}`));
  worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  feed(session).catch((error: unknown) => fail(session, error));
  try {
    return await session.settled.promise;
  } finally {
    worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    session.wakeFeeder();
  }
}

function createSession(request: ParseRequest, options: SessionOptions): Session {
  const session: Session = {
    request,
    options,
    settled: Promise.withResolvers(),
    keeping: new Set(),
    problems: [],
    head: null,
    objects: new Map(),
    unread: 0,
    untaken: 0,
    inputEnded: false,
    finished: false,
    wakeFeeder: () => {},
    stopwatch: createStopwatch(
      { budgetMs: options.hardMs, softMs: options.softMs },
      {
        soft: () => {
          if (!options.mayGoOn()) finish(session, { outcome: 'evicted' });
        },
        hard: () =>
          finish(session, broken(session, 'parse-timeout', `not read within ${request.budgetMs / 1000} seconds`)),
      },
    ),
  };
  return session;
}

/** Gives the worker the message, some chunks ahead of what it has taken in. The last says that it is the last. */
async function feed(session: Session): Promise<void> {
  const { request, options } = session;
  let bytesLeft = request.bytes;
  for await (const chunk of await request.open()) {
    if (session.finished) return;
    if (session.inputEnded) throw new Error('the stored message is longer than its job says');
    const own = Uint8Array.from(chunk);
    bytesLeft -= own.length;
    session.unread += 1;
    session.inputEnded = bytesLeft === 0;
    say(session, { job: options.job, type: 'input', bytes: own, isLast: session.inputEnded }, [own.buffer]);
    while (session.unread >= windows.inputChunks && !session.inputEnded && !session.finished) {
      await new Promise<void>((wake) => {
        session.wakeFeeder = wake;
      });
    }
  }
  if (session.inputEnded) return;
  session.inputEnded = true;
  say(session, { job: options.job, type: 'input', bytes: new Uint8Array(0), isLast: true });
}

function hear(session: Session, value: unknown): void {
  if (session.finished) return;
  const message: FromWorker = fromWorkerSchema.parse(value);
  switch (message.type) {
    case 'ready':
      break;
    case 'more':
      session.unread -= 1;
      session.wakeFeeder();
      break;
    case 'head':
      session.head = message.head;
      session.problems.push(...message.problems);
      break;
    case 'object':
      beginObject(session, message.start);
      break;
    case 'chunk':
      session.untaken += message.bytes.length;
      session.objects.get(message.of)?.push(message.bytes);
      break;
    case 'object-end':
      session.objects.get(message.of)?.end();
      session.objects.delete(message.of);
      break;
    case 'done': {
      const { text, html } = message;
      const problems = [...session.problems, ...message.problems];
      finish(session, { outcome: 'parsed', message: { head: session.head, text, html, problems } });
      break;
    }
  }
  session.stopwatch.set(isWorkerBusy(session));
}

/** Hands an object to the store while its bytes come. One that is given up on the way is not kept. */
function beginObject(session: Session, start: ObjectStart): void {
  const channel = createChannel((bytes) => {
    session.untaken -= bytes;
    say(session, { job: session.options.job, type: 'taken', bytes });
  });
  session.objects.get(start.kind)?.abort();
  session.objects.set(start.kind, channel);
  const kept = session.request.keep(start, channel.content).then(channel.discard, (error: unknown) => {
    if (!channel.isGivenUp()) fail(session, error);
  });
  session.keeping.add(kept);
}

/** Whether the worker has bytes to read, or all of them, and room for its output. */
function isWorkerBusy(session: Session): boolean {
  const hasInput = session.unread > 0 || session.inputEnded;
  return !session.finished && hasInput && session.untaken < windows.outputBytes;
}

function say(session: Session, message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
  if (session.finished) return;
  session.options.worker.postMessage(message, [...transfer]);
  session.stopwatch.set(isWorkerBusy(session));
}

/** Ends the conversation; the promise resolves when all objects are stored. */
function finish(session: Session, outcome: SessionOutcome): void {
  if (session.finished) return;
  stop(session);
  Promise.all(session.keeping).then(() => session.settled.resolve(outcome), session.settled.reject);
}

function fail(session: Session, error: unknown): void {
  stop(session);
  session.settled.reject(error);
}

function stop(session: Session): void {
  session.finished = true;
  session.stopwatch.set(false);
  for (const channel of session.objects.values()) channel.abort();
  session.wakeFeeder();
}

function explain(error: unknown): [ProblemCode, string] {
  const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  if (isMemory) return ['parse-out-of-memory', 'reading it needed too much memory'];
  return ['parse-failed', `reading it failed: ${errorMessage(error)}`];
}

function broken(session: Session, code: ProblemCode, detail: string): SessionOutcome {
  const problems = [...session.problems, { code, detail }];
  return { outcome: 'broken', message: { head: session.head, text: null, html: null, problems } };
}
