// How fast the listener accepts when each message is durable before its 250, and what CPU that takes, beside the bare
// smtp-server that throws away: in turn, round by round, so that a noisy machine is noisy for both.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import { plainMessage } from './messages.ts';
import { runLoad } from './smtp-load.ts';
import { hasSmtpSource, runSmtpSource } from './smtp-source.ts';
import { median, shown } from './statistics.ts';
import type { Row } from './table.ts';

const connections = 50;
const isSmtpSource = hasSmtpSource();
const sizes = [
  { name: '4 KiB', bytes: 4_096, messages: 10_000, target: 0.6 },
  { name: '64 KiB', bytes: 65_536, messages: 3_000, target: null },
];

/** One row a size: rates, CPU, and the ratio of the rates (median of the rounds' ratios). */
export async function measureAccept(rounds: number): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-'));
  const bare = await startMeasured('bench/bare-listener.ts');
  const durable = await startMeasured('bench/durable-listener.ts', { args: [folder] });
  const rows: Row[] = [];
  for (const size of sizes) {
    const results = [];
    for (let round = 0; round <= rounds; round++) {
      const pair = { bare: await oneRun(bare, size), durable: await oneRun(durable, size) };
      if (round > 0) results.push(pair); // The first warms both up.
    }
    rows.push(row(size, results));
  }
  await Promise.all([bare.stop(), durable.stop()]);
  rmSync(folder, { recursive: true, force: true });
  return rows;
}

type Run = { readonly rate: number; readonly cpuMs: number };

async function oneRun(server: MeasuredProcess, size: (typeof sizes)[number]): Promise<Run> {
  const before = server.cpuSeconds();
  const load = { port: Number(server.ready['port']), connections, messages: size.messages };
  const { accepted, seconds } = await (isSmtpSource
    ? runSmtpSource({ ...load, bytes: size.bytes })
    : runLoad({ ...load, body: plainMessage(size.bytes), from: 'ada@load.example', to: 'bob@bench.example' }));
  if (accepted !== size.messages) throw new Error(`only ${accepted} of ${size.messages} were accepted`);
  return { rate: accepted / seconds, cpuMs: ((server.cpuSeconds() - before) * 1_000) / accepted };
}

function row(size: (typeof sizes)[number], results: readonly { bare: Run; durable: Run }[]): Row {
  const of = (pick: (result: { bare: Run; durable: Run }) => number) => median(results.map(pick));
  return {
    what: `accept durably, ${size.name}, ${isSmtpSource ? 'smtp-source' : 'own client'} -s ${connections}`,
    value: `${shown(of(({ durable }) => durable.rate))}/s, ${shown(of(({ durable }) => durable.cpuMs))} ms CPU`,
    beside: `bare listener ${shown(of(({ bare }) => bare.rate))}/s, ${shown(of(({ bare }) => bare.cpuMs))} ms CPU`,
    ratio: of(({ bare, durable }) => durable.rate / bare.rate),
    target: size.target === null ? null : { atLeast: size.target },
  };
}
