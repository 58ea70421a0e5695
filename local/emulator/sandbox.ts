// An execution environment of Lambda: the very bundle that ships, in a thread with its own environment, memory limit and
// timeout, by the clock that tests set ahead. A sandbox that dies or does not answer in time is replaced; what it was doing has failed.
import { getCompileCacheDir } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { FromSandbox, SandboxStart, ToSandbox } from './sandbox-messages.ts';

const failuresSchema = z.array(z.object({ itemIdentifier: z.string() }));
/** Nothing, or no failures, is success for Lambda. */
const answerSchema = z
  .object({ batchItemFailures: failuresSchema.nullish() })
  .nullish()
  .transform((answer) => ({ batchItemFailures: answer?.batchItemFailures ?? [] }));

/** What a function answers to an SQSEvent. */
export type SandboxAnswer = z.output<typeof answerSchema>;

export type Sandbox = {
  /** Calls the handler. Rejects where it throws, is over its time, or its thread died. */
  readonly invoke: (event: unknown) => Promise<SandboxAnswer>;
  readonly setAhead: (aheadMs: number) => void;
  /** Ends its thread in whatever it does, as a lack of memory does. */
  readonly kill: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** `file`: the bundle. `onLine` gets each line that the function writes. */
export type SandboxOptions = {
  readonly file: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  readonly onLine: (line: string) => void;
};

/** `endsAt`: by the clock that may be ahead. */
type Call = PromiseWithResolvers<SandboxAnswer> & { readonly endsAt: number; timer?: NodeJS.Timeout };
type Calls = Map<number, Call>;

/** Makes a sandbox; its thread starts at the first event. */
export function createSandbox(options: SandboxOptions): Sandbox {
  let worker: Worker | null = null;
  let aheadMs = 0;
  let calls: Calls = new Map();
  let count = 0;

  const end = async (reason: Error): Promise<void> => {
    const [dead, unanswered] = [worker, calls];
    worker = null;
    calls = new Map();
    for (const { reject } of unanswered.values()) reject(reason);
    await dead?.terminate();
  };
  const start = (): Worker => {
    const made = startWorker(options, aheadMs, calls);
    made.once('error', (error) => void (worker === made && end(error)));
    made.once('exit', (code) => void (worker === made && end(new Error(`the sandbox ended (exit code ${code})`))));
    worker = made;
    return made;
  };
  const say = (to: Worker, message: ToSandbox): void => to.postMessage(message);
  const watch = (call: Call): void => {
    clearTimeout(call.timer);
    const late = () => void end(new Error(`the function did not answer within ${options.timeoutSeconds} s`));
    call.timer = setTimeout(late, Math.max(0, call.endsAt - Date.now() - aheadMs));
  };
  return {
    invoke: async (event) => {
      const thread = worker ?? start();
      const id = ++count;
      const endsAt = Date.now() + aheadMs + options.timeoutSeconds * 1_000;
      const call: Call = { ...Promise.withResolvers<SandboxAnswer>(), endsAt };
      calls.set(id, call);
      watch(call);
      say(thread, { kind: 'event', id, event });
      return call.promise.finally(() => clearTimeout(call.timer));
    },
    setAhead: (ms) => {
      aheadMs = ms;
      if (worker !== null) say(worker, { kind: 'clock', aheadMs });
      for (const call of calls.values()) watch(call);
    },
    kill: () => end(new Error('the sandbox was killed')),
    close: () => end(new Error('the sandbox was closed')),
  };
}

function startWorker({ file, environment, memoryMiB, onLine }: SandboxOptions, aheadMs: number, calls: Calls): Worker {
  const worker = new Worker(new URL('./sandbox-worker.ts', import.meta.url), {
    env: { ...environment },
    execArgv: [],
    workerData: { file: pathToFileURL(file).href, aheadMs, cache: getCompileCacheDir() ?? null } satisfies SandboxStart,
    resourceLimits: { maxOldGenerationSizeMb: memoryMiB },
    stdout: true,
    stderr: true,
  });
  for (const stream of [worker.stdout, worker.stderr]) {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine);
  }
  worker.on('message', (said: FromSandbox) => {
    const call = calls.get(said.id);
    calls.delete(said.id);
    if (said.kind === 'threw') return call?.reject(new Error(said.error));
    const answer = answerSchema.safeParse(said.answer);
    if (answer.success) call?.resolve(answer.data);
    else call?.reject(answer.error);
  });
  return worker;
}
