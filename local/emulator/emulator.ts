// Starts the emulator's process and knows its endpoint, bucket and queues. It ends with this process, however that ends.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import {
  deadLetterQueue,
  lanesOf,
  type QueueName,
  receivesBeforeDead,
  stages,
  visibilitySeconds,
} from '#pipeline/contract/stages.ts';

const bucket = 'pillarbox-mail';
const account = '000000000000';

/**
 * How one queue is doing; times in milliseconds since 1970. `nextDueAt`: when the next hidden or delayed message can be received;
 * `handedOut`: messages that were received so far.
 */
const queueSchema = z.object({
  name: z.string(),
  ready: z.number(),
  delayed: z.number(),
  inFlight: z.number(),
  oldestAt: z.number().nullable(),
  nextDueAt: z.number().nullable(),
  handedOut: z.number(),
});
const messageSchema = z.object({
  messageId: z.string(),
  body: z.string(),
  /** Its attributes of type String. */
  texts: z.record(z.string(), z.string()),
  receiveCount: z.number(),
  sentAt: z.number(),
});
const reportSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('listening'), port: z.number() }),
  z.object({ kind: z.literal('refused'), reason: z.string() }),
  z.object({ kind: z.enum(['written', 'deleted']), key: z.string() }),
]);

/** S3 and SQS on this machine. */
export type Emulator = {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly queueUrl: (queue: QueueName, dead?: 'dead') => string;
  readonly queueArn: (queue: QueueName) => string;
  readonly queues: () => Promise<readonly z.infer<typeof queueSchema>[]>;
  /** Requests answered so far, by method (S3) or operation (SQS). */
  readonly calls: () => Promise<Readonly<Record<string, number>>>;
  /** The waiting messages of a queue, oldest first; the last thousand. */
  readonly messages: (queue: QueueName, dead: 'dead') => Promise<readonly z.infer<typeof messageSchema>[]>;
  /** The bodies of all messages that are not dead letters: ready, delayed, or out with a worker. */
  readonly jobs: () => Promise<readonly string[]>;
  /** Resolves when the process ended although nobody closed it. */
  readonly lost: Promise<Error>;
  /** Sets its clock ahead of the real one. */
  readonly setAhead: (aheadMs: number) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** A queue with its dead letters beside it. */
export type EmulatedQueue = {
  readonly name: string;
  readonly visibilitySeconds: number;
  readonly maxReceives: number;
};

/**
 * Starts it over a folder, made where it is missing; rejects where that is in use. `onChange` gets every key
 * that is written or deleted.
 * `others`: queues besides those of the stages.
 */
export async function startEmulator({
  folder,
  onChange,
  others = [],
}: {
  readonly folder: string;
  readonly onChange: OnChange;
  readonly others?: readonly EmulatedQueue[];
}): Promise<Emulator> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lanes = Object.values(stages).flatMap(lanesOf);
  const own = lanes.map((lane) => ({
    name: lane.consumes,
    visibilitySeconds: visibilitySeconds(lane),
    maxReceives: receivesBeforeDead(lane),
  }));
  const queues = [...own, ...others];
  const entry = fileURLToPath(new URL('./emulator-process.ts', import.meta.url));
  const order = JSON.stringify({ folder, port: 0, bucket, queues });
  const child = fork(entry, [order], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const port = await listening(child, onChange);
  return emulatorAt(`http://127.0.0.1:${port}`, child);
}

type OnChange = (key: string, change: 'written' | 'deleted') => void;

function listening(child: ChildProcess, onChange: OnChange): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the emulator ended at start (exit code ${code})`)));
    child.on('message', (message) => {
      const report = reportSchema.parse(message);
      if (report.kind === 'listening') resolve(report.port);
      else if (report.kind === 'refused') reject(new Error(report.reason));
      else onChange(report.key, report.kind);
    });
  });
}

function emulatorAt(endpoint: string, child: ChildProcess): Emulator {
  let isClosing = false;
  const region = 'us-east-1';
  const name = (queue: QueueName, dead?: 'dead') => (dead === undefined ? queue : deadLetterQueue(queue));
  const ask = async (path: string): Promise<unknown> => (await fetch(`${endpoint}/_pillarbox${path}`)).json();
  return {
    endpoint,
    region,
    bucket,
    queueUrl: (queue, dead) => `${endpoint}/${account}/${name(queue, dead)}`,
    queueArn: (queue) => `arn:aws:sqs:${region}:${account}:${queue}`,
    queues: async () => z.array(queueSchema).parse(await ask('/queues')),
    calls: async () => z.record(z.string(), z.number()).parse(await ask('/calls')),
    jobs: async () => z.array(z.string()).parse(await ask('/jobs')),
    messages: async (queue, dead) => z.array(messageSchema).parse(await ask(`/queues/${name(queue, dead)}`)),
    lost: new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        if (!isClosing) resolve(new Error(`the emulator ended by itself (${signal ?? `exit code ${code}`})`));
      });
    }),
    setAhead: async (aheadMs) => {
      child.send({ aheadMs });
      await ask('/queues');
    },
    close: async () => {
      isClosing = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
