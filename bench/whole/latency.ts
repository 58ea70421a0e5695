// From the 250 to the finished JSON in inbox/, through all stages, at half of the load the whole service can carry; and
// the memory it holds, at rest and while a message of 100 MB comes in.

import { quantile, shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { plainMessage } from '#bench/load/messages.ts';
import { runLoad } from '#bench/load/smtp-load.ts';
import { type BenchService, startService, whenDrained } from '#bench/load/start-service.ts';
import { until } from '#bench/load/wait.ts';
import { acceptedId, watchInbox } from '#bench/load/watch-inbox.ts';
import { sustain } from './sustained.ts';

const burst = 4_000;
const halfLoadSeconds = 8;
const bigMessageBytes = 100 * 1024 * 1024;
const limits = { messageBytes: 200 * 1024 * 1024 };

/** Three rows: sustained rate, latency at half of it, memory. */
export async function measureWhole(): Promise<readonly Row[]> {
  const service = await startService('embedded');
  await send(service, 500);
  await whenDrained(service.api);
  const { rate, storedMs, indexedMs } = await sustain(service, burst);
  const latencies = await latenciesAt(service, rate / 2);
  await service.stop();
  return [
    {
      what: 'accepted to inbox/, sustained, 4 KiB',
      value: `${shown(rate)}/s, ${shown(storedMs)} ms CPU`,
      beside: `all stages, one process; ${shown(indexedMs)} ms with the index`,
      ratio: null,
      target: null,
    },
    {
      what: `accepted to inbox/ at half load (${shown(rate / 2)}/s)`,
      value: `p50 ${shown(quantile(latencies, 0.5))} ms, p99 ${shown(quantile(latencies, 0.99))} ms`,
      beside: `${latencies.length} messages`,
      ratio: quantile(latencies, 0.99),
      target: { atMost: 500 },
    },
    await memoryRow(),
  ];
}

/** Milliseconds from each 250 to the event that its JSON is there, as a consumer of the event stream sees it. */
async function latenciesAt(service: BenchService, perSecond: number): Promise<readonly number[]> {
  const acceptedAt = new Map<string, number>();
  const { storedAt, stop } = await watchInbox(service.api);
  await runLoad({
    port: service.smtpPort,
    connections: 20,
    messages: Math.round(perSecond * halfLoadSeconds),
    perSecond,
    body: plainMessage(4_096),
    onAccepted: (reply) => acceptedAt.set(acceptedId(reply), performance.now()),
  });
  await whenDrained(service.api);
  await until('the JSON of all messages', 10, () => storedAt.size >= acceptedAt.size);
  await stop();
  return [...acceptedAt].map(([id, at]) => Math.max(0, (storedAt.get(id) ?? Number.NaN) - at));
}

async function memoryRow(): Promise<Row> {
  const service = await startService('embedded', { limits: { ...limits, messagesPerMinutePerIp: 1_000_000 } });
  await send(service, 200);
  await whenDrained(service.api);
  const before = service.peakMiB();
  await send(service, 1, plainMessage(bigMessageBytes));
  await whenDrained(service.api);
  const added = service.peakMiB() - before;
  await service.stop();
  return {
    what: 'memory that a message of 100 MB adds',
    value: `${shown(added)} MiB`,
    beside: `peak before it ${shown(before)} MiB`,
    ratio: added,
    target: { atMost: 64 },
  };
}

async function send(service: BenchService, messages: number, body = plainMessage(4_096)): Promise<void> {
  await runLoad({ port: service.smtpPort, connections: Math.min(50, messages), messages, body });
}
