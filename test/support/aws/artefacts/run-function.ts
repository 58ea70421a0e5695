// A function as its template describes it: its asset, unpacked where nothing can be written, in a process with just the
// variables of the template and what Lambda adds; and its event source, which polls the queue as the mapping says.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createPollingSqsClient } from '#pipeline/aws/clients.ts';
import { createSqsReceiver, type SqsEventRecord } from '#pipeline/aws/sqs-receiver.ts';
import { type Person, withoutWriteAccess } from './unpacked.ts';

export type FunctionProperties = {
  readonly Handler: string;
  readonly Environment: { readonly Variables: Readonly<Record<string, string>> };
  readonly Timeout: number;
};

export type RunningFunction = {
  readonly invoke: (event: unknown) => Promise<any>;
  readonly lines: readonly string[];
  /** What it wrote to standard error: Node's own words, when something is wrong. */
  readonly errors: () => string;
  readonly setAhead: (aheadMs: number) => void;
  readonly stop: () => Promise<void>;
};

const runtime = fileURLToPath(new URL('./function-worker.ts', import.meta.url));

/** Starts the process. `added`: what Lambda and the test add to the template's variables. */
export async function runFunction(options: {
  readonly properties: FunctionProperties;
  readonly folder: string;
  readonly person: Person;
  readonly added: Readonly<Record<string, string>>;
}): Promise<RunningFunction> {
  const { properties, folder, person, added } = options;
  const [module = '', name = ''] = properties.Handler.split('.');
  const child = fork(runtime, [`${withoutWriteAccess(folder)}/${module}.mjs`, name], {
    cwd: folder,
    env: { ...properties.Environment.Variables, ...added },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...person,
  });
  const lines = linesOf(child);
  let errors = '';
  child.stderr?.on('data', (piece) => {
    errors += String(piece);
  });
  const started = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  if (typeof started[0] !== 'object') throw new Error(`the function did not start: ${errors}`);
  const calls = new Map<number, PromiseWithResolvers<any>>();
  child.on('message', ({ id, answer, error }: any) => {
    const call = calls.get(id);
    calls.delete(id);
    if (error === undefined) call?.resolve(answer);
    else call?.reject(new Error(error));
  });
  child.on('exit', () => {
    for (const call of calls.values()) call.reject(new Error(`the function's process ended: ${errors}`));
  });
  let count = 0;
  return {
    lines,
    errors: () => errors,
    invoke: (event) => {
      const call = Promise.withResolvers<any>();
      count += 1;
      calls.set(count, call);
      child.send({ id: count, event });
      const late = () => call.reject(new Error(`no answer within ${properties.Timeout} s`));
      const timer = setTimeout(late, properties.Timeout * 1_000);
      return call.promise.finally(() => clearTimeout(timer));
    },
    setAhead: (aheadMs) => void child.send({ aheadMs }),
    stop: async () => {
      if (child.exitCode !== null) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

/** The lines of standard output, as they come. */
export function linesOf(child: ChildProcess): readonly string[] {
  const lines: string[] = [];
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    const parts = `${rest}${piece}`.split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return lines;
}

export type MappingProperties = {
  readonly EventSourceArn: string;
  readonly BatchSize: number;
  readonly FunctionResponseTypes?: readonly string[];
};

/** Polls for a function, one invocation at a time. `endpoint`: SQS, as the function's role sees it. */
export function pollFor(options: {
  readonly mapping: MappingProperties;
  readonly endpoint: string;
  readonly invoke: RunningFunction['invoke'];
  readonly onBatch: (records: readonly SqsEventRecord[], answer: unknown) => void;
}): { readonly stop: () => Promise<void> } {
  const { mapping, endpoint, invoke, onBatch } = options;
  const [, , , region = '', account = '', queue = ''] = mapping.EventSourceArn.split(':');
  const receiver = createSqsReceiver({
    sqs: createPollingSqsClient({ region, endpoint }),
    queueUrl: `https://sqs.${region}.amazonaws.com/${account}/${queue}`,
    queueArn: mapping.EventSourceArn,
    region,
  });
  let isStopping = false;
  const poll = async (): Promise<void> => {
    while (!isStopping) {
      // Short waits, never broken off: the emulator would give a message to who is no longer there.
      const records = await receiver.receive({ max: mapping.BatchSize, waitSeconds: 1 });
      if (records.length === 0) continue;
      const answer = await invoke({ Records: records }).catch(() => null);
      onBatch(records, answer);
      await receiver.remove(doneOf(records, answer, mapping));
    }
  };
  const polling = poll();
  return {
    stop: () => {
      isStopping = true;
      return polling;
    },
  };
}

/** What Lambda deletes: nothing where the function failed, all but the failures where the mapping asks for them. */
function doneOf(records: readonly SqsEventRecord[], answer: any, mapping: MappingProperties): SqsEventRecord[] {
  if (answer === null) return [];
  const reports = mapping.FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false;
  const failed: readonly string[] = reports
    ? answer.batchItemFailures.map((failure: any) => failure.itemIdentifier)
    : [];
  return records.filter(({ messageId }) => !failed.includes(messageId));
}
