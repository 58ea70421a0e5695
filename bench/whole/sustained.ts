// A burst of mail through the whole service, each message with a text of its own: how fast it is in its mailboxes, and what
// processor time one message takes, until it is there and until it can be searched for by the index.
import { variedMessage } from '#bench/load/messages.ts';
import { runLoad } from '#bench/load/smtp-load.ts';
import { type BenchService, whenDrained, whenIndexed } from '#bench/load/start-service.ts';

/** `rate`: messages a second until all are stored; `storedMs`, `indexedMs`: processor time a message until then. */
export type Sustained = { readonly rate: number; readonly storedMs: number; readonly indexedMs: number };

const bodies = Array.from({ length: 2_000 }, (_, n) => variedMessage(4_096, n));

/** Sends so many messages of 4 KiB over 50 connections. */
export async function sustain(service: BenchService, messages: number): Promise<Sustained> {
  const cpuBefore = service.cpuSeconds();
  const cpuMs = (): number => ((service.cpuSeconds() - cpuBefore) * 1_000) / messages;
  const startedAt = performance.now();
  const [first] = bodies;
  if (first === undefined) throw new Error('no messages');
  await runLoad({
    port: service.smtpPort,
    connections: Math.min(50, messages),
    messages,
    body: first,
    mail: (turn) => ({ from: 'ada@load.example', body: bodies[turn % bodies.length] ?? first }),
  });
  await whenDrained(service.api);
  const rate = messages / ((performance.now() - startedAt) / 1_000);
  const storedMs = cpuMs();
  await whenIndexed(service.api);
  return { rate, storedMs, indexedMs: cpuMs() };
}
