// The emulator world, for `npm start -- --world emulator` and for tests: the AWS adapters over S3 and SQS emulated on this machine, and
// the functions as the bundles that ship, called with real SQSEvents. Same ports and ops side as the embedded world.
import { join, resolve } from 'node:path';
import { buildBundles } from '#local/build-bundles.ts';
import type { LocalWorld } from '#local/world.ts';
import { createPollingSqsClient, createS3Client, createSqsClient } from '#pipeline/aws/clients.ts';
import { createDeadLetters } from '#pipeline/aws/dead-letters.ts';
import { createAwsIntake } from '#pipeline/aws/intake.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { createUploads } from '#pipeline/aws/s3-upload.ts';
import { createSqsReceiver } from '#pipeline/aws/sqs-receiver.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import type { ConfigSource } from '#pipeline/config/config.ts';
import { messagesAtOnce } from '#pipeline/contract/jobs-per-message.ts';
import { configKey, isDeliveryKey, isMailKey, isMarksKey } from '#pipeline/contract/keys.ts';
import type { Clock, Log, Metrics, ObjectStore } from '#pipeline/contract/ports.ts';
import {
  lanesOf,
  type QueueName,
  queueNames,
  queueUrlVariable,
  type Stage,
  type StageName,
  stages,
  visibilitySeconds,
} from '#pipeline/contract/stages.ts';
import { createAdmin } from './admin.ts';
import { type Emulator, startEmulator } from './emulator.ts';
import { readLogLine, takeMetrics } from './function-output.ts';
import { createHeldJobs, type HeldJobs } from './held-jobs.ts';
import { openKeyIndex } from './key-index.ts';
import { type Account, createFunction, isThrottled } from './lambda-function.ts';
import { pollQueue } from './poll-queue.ts';
import { createWorldTime, type Source, type WorldTime } from './world-time.ts';

/** How often a changed configuration is put where the functions read it. */
const configMs = 1_000;
/** Of one queue. Each may start a sandbox, and this machine's processors are shared. */
const pollersAtLeast = 4;
const pollersAtMost = 16;

export type EmulatorOptions = {
  /** Where S3 and SQS are kept; made where it is missing. */
  readonly folder: string;
  readonly config: ConfigSource;
  /** What `secret:NAME` and a relative `file:PATH` are below. */
  readonly secretsFolder: string;
  readonly filesFolder: string;
  /** What `env:NAME` may read in the functions. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Takes what the functions write besides log lines and metrics. */
  readonly write: (line: string) => void;
  /** Bundles built before (`.build/functions`), or named by PILLARBOX_BUNDLES; else they are built now. */
  readonly bundles?: string;
  /** How long a batch of a queue is gathered before a function is called; left out, not at all. */
  readonly windowSeconds?: (lane: Stage) => number;
  /** How many pollers each queue has; left out: as many as the stage's local concurrency asks for, within bounds. */
  readonly pollers?: number;
  /** How many invocations may run at once; left out: any number. */
  readonly account?: Account;
  /** Gets each line that a function writes, and how long each invocation took and how it ended. */
  readonly observe?: {
    readonly line: (line: string) => void;
    readonly invoked: (stage: Stage, seconds: number, ended: 'answered' | 'throttled' | 'failed') => void;
  };
  /** Variables of one stage besides those every function has. */
  readonly variables?: (stage: StageName) => Readonly<Record<string, string>>;
};

/** The world, and what a test may want of it. */
export type EmulatorWorld = LocalWorld & {
  readonly emulator: Emulator;
  readonly time: WorldTime;
  /** Kills the sandboxes of a stage that are running; how many that were. */
  readonly kill: (stage: StageName) => Promise<number>;
};

/** Starts the emulator, and a function with its pollers for each stage; a slow lane has pollers of its own. */
export async function startEmulatorWorld(options: EmulatorOptions): Promise<EmulatorWorld> {
  const watchers = { written: new Set<(key: string) => void>(), deleted: new Set<(key: string) => void>() };
  const changed = (key: string, change: 'written' | 'deleted'): void => {
    if (!isMailKey(key) && !isDeliveryKey(key) && !isMarksKey(key)) return;
    if (change === 'written') index?.add(key);
    else index?.remove(key);
    if (change === 'deleted' && !isMailKey(key)) return;
    for (const watcher of watchers[change]) watcher(key);
  };
  let index: Awaited<ReturnType<typeof openKeyIndex>> | null = null;
  const emulator = await startEmulator({ folder: options.folder, onChange: changed });
  const built = options.bundles ?? options.environment['PILLARBOX_BUNDLES'];
  const bundles = built ?? (await freshBundles(options.folder));
  const ports = portsOver(emulator, options.clock);
  const known = await openKeyIndex(ports.store);
  index = known;
  const held = createHeldJobs(options.clock);
  const shipped = await shipConfig(ports.store, options);
  const offset = { aheadMs: 0 };
  const { account = { concurrency: Number.POSITIVE_INFINITY, running: 0 } } = options;
  const running = Object.values(stages).map((stage) =>
    runStage({ emulator, stage, options, account, offset, file: join(bundles, stage.name, 'index.mjs'), held }),
  );
  const sources = running.flatMap((stage) => stage.sources);
  const time = createWorldTime(emulator, offset, () => sources);
  const sqs = createPollingSqsClient(emulator);
  const deadLetters = createDeadLetters({ sqs, region: emulator.region, tell: () => {} });
  return {
    ...ports,
    emulator,
    admin: createAdmin({ ...options, ...ports, emulator, held, index: known, deadLetters, watchers }),
    lost: emulator.lost,
    problems: () => [],
    details: async () => ({ world: 'emulator', endpoint: emulator.endpoint, bucket: emulator.bucket }),
    time,
    kill: async (name) => (await running.find(({ stage }) => stage === name)?.called.killRunning()) ?? 0,
    close: async (graceSeconds) => {
      shipped.stop();
      await Promise.all(sources.map(({ polling }) => polling.stop(graceSeconds)));
      await Promise.all(running.map(({ called }) => called.close()));
      await emulator.close();
    },
  };
}

type StageToRun = {
  readonly emulator: Emulator;
  readonly stage: Stage;
  readonly options: EmulatorOptions;
  readonly account: Account;
  readonly offset: { readonly aheadMs: number };
  /** The bundle. */
  readonly file: string;
  readonly held: HeldJobs;
};

/** Its function, and an event source for each of its queues. */
function runStage({ emulator, stage, options, account, offset, file, held }: StageToRun) {
  const environment = { ...functionVariables(emulator, options), ...options.variables?.(stage.name) };
  const { timeoutSeconds, memoryMiB } = stage;
  const onLine = (line: string) => takeLine(line, options, held);
  const called = createFunction({ file, environment, timeoutSeconds, memoryMiB, onLine }, account);
  const { log, windowSeconds = () => 0 } = options;
  const sources: readonly Source[] = lanesOf(stage).map((lane) => ({
    queue: lane.consumes,
    called,
    polling: pollQueue({
      source: { ...lane, batchSize: messagesAtOnce(lane) },
      receiver: receiverOf(emulator, lane.consumes),
      invoke: (event) => timed(() => called.invoke(event), stage, options),
      log,
      clock: () => Date.now() + offset.aheadMs,
      windowSeconds: windowSeconds(lane),
      visibilitySeconds: visibilitySeconds(lane),
      pollers: options.pollers ?? pollersOf(lane),
    }),
  }));
  return { stage: stage.name, called, sources };
}

/** By jobs, of which a message may hold several. */
function pollersOf({ batchSize, maxConcurrency }: Stage): number {
  return Math.min(pollersAtMost, Math.max(pollersAtLeast, Math.ceil(maxConcurrency.local / batchSize)));
}

async function timed<Answer>(work: () => Promise<Answer>, stage: Stage, { observe }: EmulatorOptions): Promise<Answer> {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1_000;
  try {
    const answer = await work();
    observe?.invoked(stage, seconds(), 'answered');
    return answer;
  } catch (thrown) {
    observe?.invoked(stage, seconds(), isThrottled(thrown) ? 'throttled' : 'failed');
    throw thrown;
  }
}

function takeLine(line: string, { log, metrics, write, observe }: EmulatorOptions, held: HeldJobs): void {
  observe?.line(line);
  if (takeMetrics(line, metrics)) return;
  const said = readLogLine(line);
  if (said === null) {
    write(`${line}\n`);
    return;
  }
  log[said.level](said.event, said.fields);
  held.note(said);
}

function portsOver(emulator: Emulator, clock: Clock) {
  const { bucket } = emulator;
  const s3 = createS3Client(emulator);
  const queueUrls = {
    received: emulator.queueUrl('received'),
    parse: emulator.queueUrl('parse'),
    deliver: emulator.queueUrl('deliver'),
  };
  const jobs = createSqsSender({ sqs: createSqsClient(emulator), queueUrls, clock });
  const intake = createAwsIntake({ upload: createUploads({ s3, bucket }), jobs });
  return { store: createS3Store({ s3, bucket }), jobs, intake };
}

/** A client of its own for each: long polls would hold up one another's connections. */
function receiverOf(emulator: Emulator, queue: QueueName) {
  const queueUrl = emulator.queueUrl(queue);
  const { region } = emulator;
  return createSqsReceiver({
    sqs: createPollingSqsClient(emulator),
    queueUrl,
    queueArn: emulator.queueArn(queue),
    region,
  });
}

function functionVariables(emulator: Emulator, options: EmulatorOptions): Record<string, string> {
  const given = Object.entries(options.environment).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return {
    ...Object.fromEntries(given),
    PILLARBOX_BUCKET: emulator.bucket,
    ...Object.fromEntries(queueNames.map((queue) => [queueUrlVariable(queue), emulator.queueUrl(queue)])),
    PILLARBOX_ENDPOINT: emulator.endpoint,
    PILLARBOX_SECRETS_DIRECTORY: resolve(options.secretsFolder),
    PILLARBOX_FILES_DIRECTORY: resolve(options.filesFolder),
    PILLARBOX_CONFIG_REFRESH_SECONDS: '1',
    AWS_REGION: emulator.region,
  };
}

/** Puts the configuration where the functions read it, and again when it changes. */
async function shipConfig(store: Pick<ObjectStore, 'put'>, { config, log }: EmulatorOptions) {
  let shipped = '';
  const ship = async (): Promise<void> => {
    const text = JSON.stringify(await config.current(), null, 2);
    if (text === shipped) return;
    await store.put({ key: configKey, body: Buffer.from(text), contentType: 'application/json' });
    shipped = text;
  };
  await ship();
  const timer = setInterval(() => {
    ship().catch((thrown: unknown) => log.error('config-not-shipped', { error: String(thrown) }));
  }, configMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** Built at every start: the source may have changed. */
async function freshBundles(folder: string): Promise<string> {
  const bundles = join(folder, 'bundles');
  await buildBundles(bundles);
  return join(bundles, 'functions');
}
