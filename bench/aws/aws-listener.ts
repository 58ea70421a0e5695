// What the listener costs on AWS: the bundle that ships, in a process of its own, over S3 and SQS emulated in another.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { type MeasuredProcess, startMeasured } from '#bench/load/measured-process.ts';
import { plainMessage } from '#bench/load/messages.ts';
import { runLoad } from '#bench/load/smtp-load.ts';
import { freePort, noClientLimits } from '#bench/load/start-service.ts';
import { whenGreeted } from '#bench/load/wait.ts';
import { buildBundles } from '#local/build-bundles.ts';
import { type Emulator, startEmulator } from '#local/emulator/emulator.ts';
import { createS3Client } from '#pipeline/aws/clients.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { configKey } from '#pipeline/contract/keys.ts';

const connections = 50;
const messages = 2_000;

/** The container's listener, running; `bundles` as buildBundles leaves them, the configuration already in the bucket. */
export async function startContainer(
  emulator: Emulator,
  { bundles, port, onOutput }: { bundles: string; port: number; onOutput?: (text: string) => void },
): Promise<MeasuredProcess> {
  return startMeasured(join(bundles, 'container', 'main.mjs'), {
    env: {
      AWS_REGION: emulator.region,
      PILLARBOX_BUCKET: emulator.bucket,
      PILLARBOX_QUEUE_RECEIVED_URL: emulator.queueUrl('received'),
      PILLARBOX_ENDPOINT: emulator.endpoint,
      PILLARBOX_HEALTH_PORT: '0',
      PILLARBOX_HEALTH_HOST: '127.0.0.1',
      PILLARBOX_CONFIG_REFRESH_SECONDS: '3600', // What it asks S3 meanwhile is the bill's line of its own (monthly-bill.ts).
    },
    whenReady: () => whenGreeted(port),
    ...(onOutput === undefined ? {} : { onOutput }),
  });
}

/** A configuration that takes everything, on one port. */
export function captureOn(port: number): Readonly<Record<string, unknown>> {
  return { mode: 'capture', listeners: [{ role: 'mx', port }], limits: noClientLimits };
}

/** One row: CPU of the listener's process for a message. */
export async function measureAwsListener(rounds: number): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-'));
  const [port] = await Promise.all([freePort(), buildBundles(join(folder, 'bundles'))]);
  const emulator = await startEmulator({ folder: join(folder, 'emulator'), onChange: () => undefined });
  const store = createS3Store({ s3: createS3Client(emulator), bucket: emulator.bucket });
  const body = Buffer.from(JSON.stringify(captureOn(port)));
  await store.put({ key: configKey, body, contentType: 'application/json' });
  const listener = await startContainer(emulator, { bundles: join(folder, 'bundles'), port });
  const runs = [];
  for (let round = 0; round <= rounds; round++) {
    const before = { cpu: listener.cpuSeconds(), calls: await emulator.calls() };
    const seconds = await runLoad({ port, connections, messages, body: plainMessage(4_096) });
    const batches = ((await emulator.calls())['SendMessageBatch'] ?? 0) - (before.calls['SendMessageBatch'] ?? 0);
    const cpuMs = ((listener.cpuSeconds() - before.cpu) * 1_000) / messages;
    if (round > 0) runs.push({ cpuMs, rate: messages / seconds, perBatch: messages / batches }); // The first warms up.
  }
  await listener.stop();
  await emulator.close();
  rmSync(folder, { recursive: true, force: true });
  const cpuMs = median(runs.map((run) => run.cpuMs));
  return [
    {
      what: `listener on S3 and SQS, 4 KiB, ${connections} connections`,
      value: `${shown(cpuMs)} ms CPU a message`,
      beside: `${shown(median(runs.map((run) => run.rate)))}/s, ${shown(median(runs.map((run) => run.perBatch)))} jobs a send`,
      ratio: cpuMs,
      target: { atMost: 1 },
    },
  ];
}
