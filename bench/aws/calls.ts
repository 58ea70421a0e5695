// The calls that one inbound message costs on AWS: the bundles that ship, over S3 and SQS emulated on this machine, with
// Lambda's batching window as cdk/ sets it, at a trickle of messages and not in a burst, from senders that are judged each by
// its own SPF, DKIM and DMARC. `--write` keeps what was counted in measured-calls.json, from which `npm run cost` computes the bill.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { runLoad } from '#bench/load/smtp-load.ts';
import { areEmpty, freePort } from '#bench/load/start-service.ts';
import { until } from '#bench/load/wait.ts';
import { buildBundles } from '#local/build-bundles.ts';
import { type EmulatorWorld, startEmulatorWorld } from '#local/emulator/start-emulator.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import type { Stage, StageName } from '#pipeline/contract/stages.ts';
import { captureOn, startContainer } from './aws-listener.ts';
import { type SignedSenders, startSignedSenders } from './signed-senders.ts';

const messages = 400;
const perSecond = 10;
const messageBytes = 50 * 1_024;
const windowSeconds = 2; // cdk/options.ts
/** Of each line that CloudWatch takes in, besides its text. */
const bytesPerLogEvent = 26;
/**
 * What an invocation waits for longer on AWS than here, in seconds; its jobs wait together. A read of S3 30 ms, a write 45, a send 15; and
 * where the DNS of the world is asked, three questions in a row.
 */
const secondsWaited: Readonly<Partial<Record<StageName, number>>> = {
  authenticate: 0.03 + 0.015 + 0.12,
  parse: 0.03 + 0.045,
  deliver: 0.03 + 0.09 + 0.12,
};
const warmUp = 40;
/**
 * A function has a share of a processor by its memory, all of one at 1,769 MiB: a second of processor time is paid for with as many
 * GiB-seconds, whatever the memory. Processor time is that of all threads but the first, which polls and makes the load: what else
 * runs on the machine changes it little, as it would change the time on the clock.
 */
const gibSecondsPerCpuSecond = 1_769 / 1_024;

type Counted = {
  readonly calls: Readonly<Record<string, number>>;
  readonly invocations: number;
  readonly gibSeconds: number;
  readonly logBytes: number;
  readonly inboxBytes: number;
};

/** Rows: PUTs, GETs and sends for a message. */
export async function measureCalls(write: boolean): Promise<readonly Row[]> {
  const counted = await count();
  const each = (...names: readonly string[]) =>
    names.reduce((sum, name) => sum + (counted.calls[name] ?? 0), 0) / messages;
  const [puts, gets] = [each('PUT'), each('GET', 'HEAD')];
  const sends = each('SendMessage', 'SendMessageBatch');
  const takes = each('ReceiveMessage', 'DeleteMessage', 'DeleteMessageBatch', 'ChangeMessageVisibilityBatch');
  if (write) {
    keep({
      measuredOn: new Date().toISOString().slice(0, 10),
      command: 'npm run bench -- --only calls --write',
      puts: rounded(puts),
      gets: rounded(gets),
      sqsRequests: rounded(sends + takes),
      lambdaRequests: rounded(counted.invocations / messages),
      lambdaGiBSeconds: rounded(counted.gibSeconds / messages),
      logBytes: Math.ceil(counted.logBytes / messages),
      extraBytes: Math.ceil(counted.inboxBytes / messages),
    });
  }
  const beside = `${messages} messages of 50 KiB, ${perSecond}/s`;
  return [
    { what: 'S3 PUT per message', value: shown(puts), beside, ratio: puts, target: { atMost: 2 } },
    { what: 'S3 GET per message', value: shown(gets), beside, ratio: gets, target: { atMost: 2.1 } },
    {
      what: 'SQS sends per message, both hops',
      value: shown(sends),
      beside: `receives and deletes ${shown(takes)}`,
      ratio: sends / 2,
      target: { atMost: 1 },
    },
    {
      what: 'Lambda per message',
      value: `${shown(counted.gibSeconds / messages)} GiB-s`,
      beside: `${shown(messages / counted.invocations)} messages an invocation of two`,
      ratio: null,
      target: null,
    },
  ];
}

/** What the functions' threads have used so far. */
function functionsCpuSeconds(): number {
  const [all, first] = [process.cpuUsage(), process.threadCpuUsage()];
  return (all.user + all.system - first.user - first.system) / 1e6;
}

async function count(): Promise<Counted> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-'));
  const [port, senders] = await Promise.all([
    freePort(),
    startSignedSenders(warmUp + messages, messageBytes),
    buildBundles(folder),
  ]);
  const used = { invocations: 0, gibSeconds: 0, logBytes: 0 };
  const lineOf = (line: string) => {
    used.logBytes += Buffer.byteLength(line) + bytesPerLogEvent;
  };
  const invoked = (stage: Stage) => {
    used.invocations += 1;
    used.gibSeconds += ((secondsWaited[stage.name] ?? 0) * stage.memoryMiB) / 1_024;
  };
  const world = await startWorld(folder, captureFor(port, senders), { line: lineOf, invoked });
  const listener = await startContainer(world.emulator, {
    bundles: folder,
    port,
    onOutput: (text) => text.split('\n').forEach((line) => void (line === '' || lineOf(line))),
  });
  await send(port, warmUp, senders.mail); // Sandboxes start cold; on AWS they seldom do at such a rate.
  await whenEmpty(world);
  const before = await world.emulator.calls();
  const cpuBefore = functionsCpuSeconds();
  Object.assign(used, { invocations: 0, gibSeconds: 0, logBytes: 0 });
  await send(port, messages, (turn) => senders.mail(warmUp + turn));
  await whenEmpty(world);
  used.gibSeconds += (functionsCpuSeconds() - cpuBefore) * gibSecondsPerCpuSecond;
  const after = await world.emulator.calls();
  const counted = { ...used, calls: difference(after, before), inboxBytes: await inboxBytesOf(world) };
  await listener.stop();
  await world.close(5);
  senders.dns.close();
  rmSync(folder, { recursive: true, force: true });
  return counted;
}

function startWorld(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  observe: { readonly line: (line: string) => void; readonly invoked: (stage: Stage) => void },
): Promise<EmulatorWorld> {
  const quiet = () => undefined;
  return startEmulatorWorld({
    folder: join(folder, 'emulator'),
    config: fixedConfigSource(configSchema.parse(config)),
    secretsFolder: folder,
    filesFolder: folder,
    environment: {},
    clock: Date.now,
    log: { info: quiet, warn: quiet, error: (event, fields) => console.error(event, fields) },
    metrics: { count: quiet, measure: quiet },
    write: quiet,
    bundles: join(folder, 'functions'),
    windowSeconds,
    observe,
    variables: () => ({ PILLARBOX_CONFIG_REFRESH_SECONDS: '30' }),
  });
}

/** With a DNS of its own a capture server judges also what comes from this machine. */
function captureFor(port: number, { dns }: SignedSenders): Readonly<Record<string, unknown>> {
  return { ...captureOn(port), dns: { servers: [dns.server] } };
}

async function send(port: number, count: number, mail: SignedSenders['mail']): Promise<void> {
  await runLoad({ port, connections: 10, messages: count, perSecond, mail, body: mail(0).body });
}

function whenEmpty({ emulator }: EmulatorWorld): Promise<void> {
  return until('empty queues', 60, async () => areEmpty(await emulator.queues()));
}

/** Of the messages counted, as many as one page holds stand for all. */
async function inboxBytesOf({ store }: EmulatorWorld): Promise<number> {
  const { objects } = await store.list({ prefix: 'inbox/' });
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  return (bytes / Math.max(1, objects.length)) * messages;
}

function difference(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]));
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

function keep(calls: Readonly<Record<string, string | number>>): void {
  writeFileSync(new URL('../cost/measured-calls.json', import.meta.url), `${JSON.stringify(calls, null, 2)}\n`);
}
