// Counts what mail costs in calls as a month of ten million brings it: mails one by one at random times, 3.8 a second, each over a
// connection of its own and from a sender that is judged by its own SPF, DKIM and DMARC; the bundles that ship over S3 and SQS emulated
// here; five pollers for each queue, as Lambda has them, with the windows that cdk/ sets; S3, SQS and the DNS as slow as they are.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { runLoad } from '#bench/load/smtp-load.ts';
import { areEmpty, freePort } from '#bench/load/start-service.ts';
import { until } from '#bench/load/wait.ts';
import { buildBundles } from '#local/build-bundles.ts';
import { type EmulatorWorld, startEmulatorWorld } from '#local/emulator/start-emulator.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import { memoryOfProcessorMiB, type Stage, type StageName, stageNames, stages } from '#pipeline/contract/stages.ts';
import { captureOn, startContainer } from './aws-listener.ts';
import { createWaits, type Span, secondsWaited, startSlowWay, type Waits } from './aws-waits.ts';
import { type SignedSenders, startSignedSenders } from './signed-senders.ts';

/** Ten million in a month of 730 hours. */
export const perSecond = 3.8;
export const messageBytes = 50 * 1_024;
/** What Lambda begins with; with `maxConcurrency` it does not go down to two when there is little to do. */
const pollers = 5;
const pollSeconds = 20;
/** Messages before those that count, and how many a second: a sandbox lives for hours, and its code is compiled after some hundred. */
const warmUp = 600;
const warmUpPerSecond = 30;
/** Of each line that CloudWatch takes in, besides its text. */
const bytesPerLogEvent = 26;
/**
 * A function has a share of a processor by its memory, all of one at 1,769 MiB: a second of processor time is paid for with as many
 * GiB-seconds, whatever the memory. Processor time is that of all threads but the first, which polls and makes the load: what else
 * runs on the machine changes it little, as it would change the time on the clock.
 */
const gibSecondsPerCpuSecond = memoryOfProcessorMiB / 1_024;

export type StageCount = {
  readonly invocations: number;
  readonly secondsWaited: number;
  /** What waiting costs at the stage's memory. */
  readonly gibSecondsWaited: number;
};
export type Counted = {
  /** Requests by method (S3) or operation (SQS), without the polls of queues that inbound mail does not use. */
  readonly calls: Readonly<Record<string, number>>;
  readonly stages: Readonly<Record<StageName, StageCount>>;
  readonly cpuSeconds: number;
  /** What computing costs, at any memory. */
  readonly gibSecondsComputed: number;
  /** By event; `metrics`: the lines that metrics are read from. What CloudWatch adds to each line is included. */
  readonly logBytes: Readonly<Record<string, number>>;
  readonly inboxBytes: number;
  /** From 250 to the inbox, of each message, ascending. */
  readonly secondsToInbox: readonly number[];
};

type Watch = {
  readonly waits: Readonly<Record<StageName, Waits>>;
  readonly invocations: Record<StageName, Span[]>;
  readonly logBytes: Map<string, number>;
  secondsToInbox: number[];
};

/** Sends so many messages and counts. `windowSeconds`: how long each queue's batches are gathered. */
export async function countCalls(messages: number, windowSeconds: (lane: Stage) => number): Promise<Counted> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-'));
  const watch = startWatch();
  const dnsTakes = () => watch.waits.authenticate.hold('DNS');
  const [port, senders] = await Promise.all([
    freePort(),
    startSignedSenders(warmUp + messages, messageBytes, dnsTakes),
    buildBundles(folder),
  ]);
  const place = { folder, port, senders, watch, windowSeconds };
  const { world, close } = await startWorld(place);
  const listener = await startContainer(world.emulator, {
    bundles: folder,
    port,
    onOutput: (text) => {
      for (const line of text.split('\n')) takeLine(watch, line);
    },
  });
  await send(place, { from: 0, count: warmUp, rate: warmUpPerSecond });
  await whenEmpty(world);
  const before = { calls: await world.emulator.calls(), cpu: functionsCpuSeconds(), at: performance.now() };
  clear(watch);
  await send(place, { from: warmUp, count: messages, rate: perSecond });
  await whenEmpty(world);
  const cpuSeconds = functionsCpuSeconds() - before.cpu;
  const calls = difference(await world.emulator.calls(), before.calls, (performance.now() - before.at) / 1_000);
  const inboxBytes = (await meanInboxBytes(world)) * messages;
  await listener.stop();
  await close();
  senders.dns.close();
  rmSync(folder, { recursive: true, force: true });
  return { calls, cpuSeconds, inboxBytes, ...summary(watch, cpuSeconds) };
}

function startWatch(): Watch {
  const ofEach = <Value>(make: () => Value): Record<StageName, Value> => ({
    authenticate: make(),
    parse: make(),
    deliver: make(),
    notify: make(),
  });
  return { waits: ofEach(createWaits), invocations: ofEach((): Span[] => []), logBytes: new Map(), secondsToInbox: [] };
}

function takeLine(watch: Watch, line: string): void {
  if (line === '') return;
  const event = /"event":"([^"]*)"/.exec(line)?.[1] ?? 'metrics';
  const seconds = /"event":"message-stored".*"seconds":([\d.]+)/.exec(line)?.[1];
  if (seconds !== undefined) watch.secondsToInbox.push(Number(seconds));
  watch.logBytes.set(event, (watch.logBytes.get(event) ?? 0) + Buffer.byteLength(line) + bytesPerLogEvent);
}

function clear(watch: Watch): void {
  for (const name of stageNames) {
    watch.waits[name].clear();
    watch.invocations[name].length = 0;
  }
  watch.logBytes.clear();
  watch.secondsToInbox = [];
}

function summary({ waits, invocations, logBytes, secondsToInbox }: Watch, cpuSeconds: number) {
  const countOf = (name: StageName): StageCount => {
    const waited = secondsWaited(invocations[name], waits[name].spans);
    const gibSecondsWaited = (waited * stages[name].memoryMiB) / 1_024;
    return { invocations: invocations[name].length, secondsWaited: waited, gibSecondsWaited };
  };
  return {
    stages: {
      authenticate: countOf('authenticate'),
      parse: countOf('parse'),
      deliver: countOf('deliver'),
      notify: countOf('notify'),
    },
    gibSecondsComputed: cpuSeconds * gibSecondsPerCpuSecond,
    logBytes: Object.fromEntries(logBytes),
    secondsToInbox: secondsToInbox.toSorted((one, other) => one - other),
  };
}

/** What the functions' threads have used so far. */
function functionsCpuSeconds(): number {
  const [all, first] = [process.cpuUsage(), process.threadCpuUsage()];
  return (all.user + all.system - first.user - first.system) / 1e6;
}

type Place = {
  readonly folder: string;
  readonly port: number;
  readonly senders: SignedSenders;
  readonly watch: Watch;
  readonly windowSeconds: (lane: Stage) => number;
};

async function startWorld({ folder, port, senders, watch, windowSeconds }: Place) {
  let endpoint = '';
  const wayOf = (name: StageName) => startSlowWay(() => endpoint, watch.waits[name]);
  const ways = {
    authenticate: await wayOf('authenticate'),
    parse: await wayOf('parse'),
    deliver: await wayOf('deliver'),
    notify: await wayOf('notify'),
  };
  const quiet = () => undefined;
  // With a DNS of its own a capture server judges also what comes from this machine.
  const config = configSchema.parse({ ...captureOn(port), dns: { servers: [senders.dns.server] } });
  const world = await startEmulatorWorld({
    folder: join(folder, 'emulator'),
    config: fixedConfigSource(config),
    secretsFolder: folder,
    filesFolder: folder,
    environment: {},
    clock: Date.now,
    log: { info: quiet, warn: quiet, error: (event, fields) => console.error(event, fields) },
    metrics: { count: quiet, measure: quiet },
    write: quiet,
    bundles: join(folder, 'functions'),
    windowSeconds,
    pollers,
    observe: {
      line: (line) => takeLine(watch, line),
      invoked: ({ name }, seconds) => {
        const to = performance.now();
        watch.invocations[name].push({ from: to - seconds * 1_000, to });
      },
    },
    variables: (name) => ({ PILLARBOX_CONFIG_REFRESH_SECONDS: '30', PILLARBOX_ENDPOINT: ways[name].endpoint }),
  });
  endpoint = world.emulator.endpoint;
  const close = async () => {
    await world.close(5);
    for (const way of Object.values(ways)) way.close();
  };
  return { world, close };
}

type Sending = { readonly from: number; readonly count: number; readonly rate: number };

/** At random times, as mail comes that nobody has timed; the same ones in each run. */
async function send({ port, senders }: Place, { from, count, rate }: Sending) {
  const sending: Promise<number>[] = [];
  let [drawn, due] = [1, performance.now()];
  for (let turn = from; turn < from + count; turn += 1) {
    drawn = (drawn * 48_271) % 2_147_483_647;
    due += (-Math.log(drawn / 2_147_483_647) / rate) * 1_000;
    await pause(Math.max(0, due - performance.now()));
    const mail = () => senders.mail(turn);
    sending.push(runLoad({ port, connections: 1, messages: 1, mail, body: mail().body }));
  }
  await Promise.all(sending);
}

function whenEmpty({ emulator }: EmulatorWorld): Promise<void> {
  return until('empty queues', 120, async () => areEmpty(await emulator.queues()));
}

/** Of the messages counted, as many as one page holds stand for all. */
async function meanInboxBytes({ store }: EmulatorWorld): Promise<number> {
  const { objects } = await store.list({ prefix: 'inbox/' });
  return objects.reduce((sum, object) => sum + object.bytes, 0) / Math.max(1, objects.length);
}

/** The polls of `deliver`, `notify` and the slow lane, which come whether or not there is mail, are a line of the bill of their own. */
function difference(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
  seconds: number,
): Readonly<Record<string, number>> {
  const idle = (3 * pollers * seconds) / pollSeconds;
  return Object.fromEntries(
    Object.entries(after).map(([name, count]) => [
      name,
      count - (before[name] ?? 0) - (name === 'ReceiveMessage' ? idle : 0),
    ]),
  );
}
