// A function as Lambda runs it: the very bundle that ships, in a thread with its own environment, memory limit and
// timeout. A sandbox that dies or does not answer in time is replaced; what it was doing has failed.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { FromSandbox, ToSandbox } from './sandbox-messages.ts';

const answerSchema = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });

/** What a function answers to an SQSEvent. */
export type SandboxAnswer = z.infer<typeof answerSchema>;

export type Sandbox = {
  /** Calls the handler. Rejects where it throws, is over its time, or its thread died. */
  readonly invoke: (event: unknown) => Promise<SandboxAnswer>;
  readonly setAhead: (aheadMs: number) => void;
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

type Calls = Map<number, PromiseWithResolvers<SandboxAnswer>>;

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
  return {
    invoke: async (event) => {
      const thread = worker ?? start();
      const id = ++count;
      const call = Promise.withResolvers<SandboxAnswer>();
      calls.set(id, call);
      const { timeoutSeconds } = options;
      const late = () => void end(new Error(`the function did not answer within ${timeoutSeconds} s`));
      const timer = setTimeout(late, timeoutSeconds * 1_000);
      say(thread, { kind: 'event', id, event });
      return call.promise.finally(() => clearTimeout(timer));
    },
    setAhead: (ms) => {
      aheadMs = ms;
      if (worker !== null) say(worker, { kind: 'clock', aheadMs });
    },
    close: () => end(new Error('the sandbox was closed')),
  };
}

function startWorker({ file, environment, memoryMiB, onLine }: SandboxOptions, aheadMs: number, calls: Calls): Worker {
  const worker = new Worker(new URL('./sandbox-worker.ts', import.meta.url), {
    env: { ...environment },
    execArgv: [],
    workerData: { file: pathToFileURL(file).href, aheadMs },
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
    if (said.kind === 'threw') call?.reject(new Error(said.error));
    else call?.resolve(answerSchema.parse(said.answer));
  });
  return worker;
}
