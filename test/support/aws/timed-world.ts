// The emulator world with all of AWS's timing: the windows of a deployment, a few pollers for each queue, one invocation a sandbox, an
// account's concurrency. Between the functions and S3 stands a way that a test can close, or kill sandboxes on. What CloudWatch would get
// of it goes to the alarms of the templates.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account } from '#local/emulator/lambda-function.ts';
import { startEmulatorWorld } from '#local/emulator/start-emulator.ts';
import { createAwsParts } from '#pipeline/aws/parts.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import { configKey } from '#pipeline/contract/keys.ts';
import {
  deadLetterQueue,
  listenerAccess,
  type StageName,
  stageNames,
  windowSeconds,
} from '#pipeline/contract/stages.ts';
import { createMetricsRegistry } from '#pipeline/observe/metrics.ts';
import { type Deployed, synthesizeInto } from '#test/support/aws/artefacts/synthesized.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { createAlarmWatch } from './alarm-state.ts';
import { sharedBundles } from './shared-bundles.ts';

/** What becomes of a request for S3: S3 answers 500, or it passes. */
export type Way = (asked: { readonly stage: StageName; readonly path: string }) => 500 | 'pass';

export type TimedWorld = Awaited<ReturnType<typeof startTimedWorld>>;

/** Starts it. `pollers`: for each queue. No function has run yet. */
export async function startTimedWorld(pollers: number) {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-timed-'));
  const account: Account = { concurrency: Number.POSITIVE_INFINITY, running: 0 };
  const way: { take: Way } = { take: () => 'pass' };
  let endpoint = '';
  const doors = await Promise.all(stageNames.map((stage) => openDoor(stage, way, () => endpoint)));
  const dns = { servers: ['127.0.0.1:1'], timeoutSeconds: 1, temperrorRetrySeconds: [] };
  const alarms = createAlarmWatch();
  const deployed = await synthesizeInto(join(folder, 'synth'), {});
  const failed = (stage: StageName, ended: 'throttled' | 'failed'): void => {
    const [name, labels] = [
      ended === 'throttled' ? 'Throttles' : 'Errors',
      { FunctionName: functionName(deployed, stage) },
    ];
    alarms.put({ name, at: world.time.clock(), value: 1, labels });
  };
  const config = configSchema.parse({ mode: 'capture', hostname: 'mx.receiver.example', dns });
  const world = await startEmulatorWorld({
    folder: join(folder, 'emulator'),
    config: fixedConfigSource(config),
    secretsFolder: folder,
    filesFolder: folder,
    environment: {},
    clock: Date.now,
    log: silentLog(),
    metrics: createMetricsRegistry(),
    write: () => {},
    bundles: join(await sharedBundles(), 'functions'),
    windowSeconds: (lane) => windowSeconds(lane),
    pollers,
    account,
    observe: { line: alarms.takeLine, invoked: (stage, _, ended) => ended !== 'answered' && failed(stage.name, ended) },
    variables: (stage) => ({ PILLARBOX_ENDPOINT: doors[stageNames.indexOf(stage)]?.url ?? '' }),
  });
  endpoint = world.emulator.endpoint;
  /** When each message was stored, by the world's clock, as often as it was. */
  const stored = new Map<string, number[]>();
  world.admin.watch((key) => {
    const [, id] = /^inbox\/.*([0-9A-Z]{26})\.json$/.exec(key) ?? [];
    if (id !== undefined) stored.set(id, [...(stored.get(id) ?? []), world.time.clock()]);
  });
  return {
    ...world,
    account,
    way,
    stored,
    /** Takes so many messages in, as the listener does; their ids. */
    accept: (count: number) => Promise.all(Array.from({ length: count }, (_, n) => accept(world, n))),
    listener: () => listenerPart(world, alarms.takeLine),
    putConfig: (text = JSON.stringify(config)) =>
      world.store.put({ key: configKey, body: Buffer.from(text), contentType: 'application/json' }),
    dead: async () => (await world.admin.queues()).reduce((sum, { dead }) => sum + dead, 0),
    /** Tells the alarms what CloudWatch would see of the dead letters now. */
    sampleQueues: async () => {
      for (const { name, dead } of await world.admin.queues()) {
        const labels = { QueueName: `pillarbox-${deadLetterQueue(name)}` };
        alarms.put({ name: 'ApproximateNumberOfMessagesVisible', at: world.time.clock(), value: dead, labels });
      }
    },
    /** Whether the alarm of this name (behind the service's) has risen. */
    hasRisen: (name: string): boolean => {
      const all = [...deployed.resources('AWS::CloudWatch::Alarm').values()];
      const alarm = all.find(({ AlarmName }) => AlarmName === `pillarbox-${name}`);
      if (alarm === undefined) throw new Error(`the template has no alarm ${name}`);
      return alarms.hasRisen(alarm);
    },
    close: async () => {
      await world.close(1);
      for (const { close } of doors) close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What of the listener keeps the last good configuration, and counts what is wrong with the newest (container/main.ts). */
function listenerPart({ emulator }: World, write: (line: string) => void) {
  const { config, metrics } = createAwsParts({
    name: 'listener',
    sends: listenerAccess.sends,
    variables: {
      PILLARBOX_BUCKET: emulator.bucket,
      PILLARBOX_ENDPOINT: emulator.endpoint,
      PILLARBOX_QUEUE_RECEIVED_URL: emulator.queueUrl('received'),
      AWS_REGION: emulator.region,
    },
    write,
    configSeconds: 0.001,
    keepsConfig: true,
  });
  return {
    readConfig: () => config.current(),
    measure: () => {
      if (config.problem() !== null) metrics.count('config-problems');
      metrics.flush();
    },
  };
}

/** What the template's alarms call the function of a stage. */
function functionName(deployed: Deployed, stage: StageName): string {
  const all = [...deployed.resources('AWS::Lambda::Function')];
  const [id] = all.find(([, { Description }]) => Description === `Pillarbox stage ${stage}`) ?? [];
  if (id === undefined) throw new Error(`no function is stage ${stage}`);
  return id;
}

type World = Awaited<ReturnType<typeof startEmulatorWorld>>;

async function accept(world: World, n: number): Promise<string> {
  const content = Buffer.from(`From: ann@sender.example\r\nSubject: ${n}\r\n\r\nthe text\r\n`);
  const job = sampleReceivedJob({ content });
  const writer = world.intake.open({ key: job.raw.key, envelope: { reversePath: job.envelope.reversePath } });
  await writer.write(content);
  await writer.commit(job);
  return job.id;
}

/** Requests for SQS pass: they name an operation. */
async function openDoor(stage: StageName, way: { readonly take: Way }, endpoint: () => string) {
  const server = createServer((incoming, response) => {
    const { method = '', url = '', headers } = incoming;
    const taken = headers['x-amz-target'] === undefined ? way.take({ stage, path: url }) : 'pass';
    if (taken === 500) {
      incoming.resume();
      response.writeHead(500, { 'content-type': 'application/xml' }).end('<Error><Code>InternalError</Code></Error>');
      return;
    }
    const passed = send(new URL(url, endpoint()), { method, headers }, (from) => {
      response.writeHead(from.statusCode ?? 500, from.headers);
      from.pipe(response);
    });
    passed.on('error', () => response.destroy());
    incoming.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
