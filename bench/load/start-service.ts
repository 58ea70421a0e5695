// `npm start` as the bench wants it: a folder and ports of its own, no limits on how much one client may send.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';

/** Limits of the configuration that a single client of the bench would run into. */
export const noClientLimits = {
  connectionsPerIp: 1_000,
  messagesPerMinutePerIp: 100_000_000,
  messagesPerMinutePerUser: 100_000_000,
  transactionsPerConnection: 1_000_000,
};

export type BenchService = MeasuredProcess & { readonly smtpPort: number; readonly api: string };

/** Starts the whole service in a world; `stop` takes its folder away too. */
export async function startService(
  world: 'embedded' | 'emulator',
  config: Readonly<Record<string, unknown>> = {},
): Promise<BenchService> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-'));
  const [smtpPort, httpPort] = await Promise.all([freePort(), freePort()]);
  const file = join(folder, 'pillarbox.json');
  const listeners = [{ role: 'mx', port: smtpPort }];
  writeFileSync(file, JSON.stringify({ mode: 'capture', listeners, limits: noClientLimits, ...config }));
  const api = `http://127.0.0.1:${httpPort}`;
  const args = ['--config', file, '--data', join(folder, 'data'), '--http', String(httpPort), '--world', world];
  const running = await startMeasured('local/main.ts', { args, whenReady: () => whenHealthy(api) });
  const stop = async () => {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...running, stop, smtpPort, api };
}

const queuesSchema = z.array(z.object({ ready: z.number(), delayed: z.number(), inFlight: z.number() }));

/** Resolves when all queues are empty. */
export async function whenDrained(api: string, deadlineSeconds = 120): Promise<void> {
  const deadline = performance.now() + deadlineSeconds * 1_000;
  for (;;) {
    const queues = queuesSchema.parse(await (await fetch(`${api}/api/queues`)).json());
    if (queues.every(({ ready, delayed, inFlight }) => ready + delayed + inFlight === 0)) return;
    if (performance.now() > deadline) throw new Error(`the queues did not drain: ${JSON.stringify(queues)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A port of this machine that is free just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
}

async function whenHealthy(api: string): Promise<Record<string, unknown>> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const answer = await fetch(`${api}/health`).catch(() => null);
    if (answer?.ok) return z.record(z.string(), z.unknown()).parse(await answer.json());
    if (performance.now() > deadline) throw new Error(`${api}/health did not answer within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
