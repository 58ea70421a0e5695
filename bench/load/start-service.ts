// `npm start` as the bench wants it: a folder and ports of its own, no limits on how much one client may send.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import { until } from './wait.ts';

/** Limits of the configuration that a single client of the bench would run into. */
export const noClientLimits = {
  connectionsPerIp: 1_000,
  messagesPerMinutePerIp: 100_000_000,
  messagesPerMinutePerUser: 100_000_000,
  transactionsPerConnection: 1_000_000,
};

export type BenchService = MeasuredProcess & { readonly smtpPort: number; readonly api: string };

/** `checkout`: whose service it is, left out: this one's. `data`: its data folder, left out: a new one. */
export type Where = { readonly checkout?: string; readonly data?: string };

/** Starts the whole service in a world; `stop` takes the folder away that was made for it. */
export async function startService(
  world: 'embedded' | 'emulator',
  config: Readonly<Record<string, unknown>> = {},
  { checkout, data }: Where = {},
): Promise<BenchService> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-'));
  const [smtpPort, httpPort] = await Promise.all([freePort(), freePort()]);
  const file = join(folder, 'pillarbox.json');
  const listeners = [{ role: 'mx', port: smtpPort }];
  writeFileSync(file, JSON.stringify({ mode: 'capture', listeners, limits: noClientLimits, ...config }));
  const api = `http://127.0.0.1:${httpPort}`;
  const args = ['--config', file, '--data', data ?? join(folder, 'data'), '--http', String(httpPort), '--world', world];
  const running = await startMeasured('local/main.ts', { args, checkout, whenReady: () => whenHealthy(api) });
  const stop = async () => {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...running, stop, smtpPort, api };
}

const queuesSchema = z.array(z.object({ ready: z.number(), delayed: z.number(), inFlight: z.number() }));

/** Resolves when all queues are empty. */
export function whenDrained(api: string): Promise<void> {
  return until('empty queues', 120, async () =>
    areEmpty(queuesSchema.parse(await (await fetch(`${api}/api/queues`)).json())),
  );
}

const healthSchema = z.object({ store: z.object({ mailToIndex: z.number().default(0) }) });

/** Resolves when all mail is in the index of texts, if the service has one. */
export function whenIndexed(api: string): Promise<void> {
  return until('an index of all mail', 600, async () => {
    const health = healthSchema.parse(await (await fetch(`${api}/health`)).json());
    return health.store.mailToIndex === 0;
  });
}

/** Says whether nothing waits or is being worked on in any queue. */
export function areEmpty(queues: readonly Readonly<Record<'ready' | 'delayed' | 'inFlight', number>>[]): boolean {
  return queues.every(({ ready, delayed, inFlight }) => ready + delayed + inFlight === 0);
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

async function whenHealthy(api: string): Promise<void> {
  await until(
    `an answer of ${api}/health`,
    30,
    async () => (await fetch(`${api}/health`).catch(() => null))?.ok === true,
  );
}
