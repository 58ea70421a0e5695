// How fast the listener accepts when each message is durable before its 250, and what CPU that takes, beside the bare
// smtp-server that throws away: in turn, round by round, so that a noisy machine is noisy for both.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { type MeasuredProcess, startMeasured } from '#bench/load/measured-process.ts';
import { plainMessage } from '#bench/load/messages.ts';
import { runLoad } from '#bench/load/smtp-load.ts';
import { hasSmtpSource, runSmtpSource } from '#bench/load/smtp-source.ts';
import { startService, whenDrained } from '#bench/load/start-service.ts';

const connections = 50;
const isSmtpSource = hasSmtpSource();
const sizes = [
  { name: '4 KiB', bytes: 4_096, messages: 10_000, target: 0.6 },
  { name: '64 KiB', bytes: 65_536, messages: 3_000, target: null },
];
const wholeSize = { bytes: 4_096, messages: 5_000, target: 0.6 };

/** One row a size: rates, CPU, and the ratio of the rates (median of the rounds' ratios). */
export async function measureAccept(rounds: number): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-'));
  const bare = bareTarget(await startMeasured('bench/accept/bare-listener.ts'));
  const process = await startMeasured('bench/accept/durable-listener.ts', { args: [folder] });
  const durable = { process, port: Number(process.ready['port']), whenReady: () => Promise.resolve() };
  const rows: Row[] = [];
  for (const size of sizes) {
    const what = `accept durably, ${size.name}`;
    rows.push(row({ what, target: size.target }, await alternate({ bare, durable, size, rounds })));
  }
  await Promise.all([bare.process.stop(), durable.process.stop()]);
  rmSync(folder, { recursive: true, force: true });
  return rows;
}

/** The same with the whole service behind the port, stages and all, as `npm start` runs it: each round begins when it is done. */
export async function measureAcceptWhole(rounds: number): Promise<Row> {
  const bare = bareTarget(await startMeasured('bench/accept/bare-listener.ts'));
  const service = await startService('embedded');
  const durable = { process: service, port: service.smtpPort, whenReady: () => whenDrained(service.api) };
  const results = await alternate({ bare, durable, size: wholeSize, rounds });
  await Promise.all([bare.process.stop(), service.stop()]);
  return row({ what: 'accept with all stages behind it, 4 KiB', target: wholeSize.target }, results);
}

type Target = {
  readonly process: MeasuredProcess;
  readonly port: number;
  /** Resolves when nothing is left of the load before. */
  readonly whenReady: () => Promise<void>;
};
type Size = { readonly bytes: number; readonly messages: number };
type Run = { readonly rate: number; readonly cpuMs: number };
type Pair = { readonly bare: Run; readonly durable: Run };

function bareTarget(process: MeasuredProcess): Target {
  return { process, port: Number(process.ready['port']), whenReady: () => Promise.resolve() };
}

async function alternate(pair: {
  readonly bare: Target;
  readonly durable: Target;
  readonly size: Size;
  readonly rounds: number;
}): Promise<readonly Pair[]> {
  const results: Pair[] = [];
  for (let round = 0; round <= pair.rounds; round++) {
    const result = { bare: await oneRun(pair.bare, pair.size), durable: await oneRun(pair.durable, pair.size) };
    if (round > 0) results.push(result); // The first warms both up.
  }
  return results;
}

async function oneRun({ process, port, whenReady }: Target, { bytes, messages }: Size): Promise<Run> {
  await whenReady();
  const before = process.cpuSeconds();
  const load = { port, connections, messages };
  const seconds = await (isSmtpSource
    ? runSmtpSource({ ...load, bytes })
    : runLoad({ ...load, body: plainMessage(bytes) }));
  const result = { rate: messages / seconds, cpuMs: ((process.cpuSeconds() - before) * 1_000) / messages };
  await whenReady();
  return result;
}

function row(
  { what, target }: { readonly what: string; readonly target: number | null },
  results: readonly Pair[],
): Row {
  const of = (pick: (result: Pair) => number) => median(results.map(pick));
  return {
    what: `${what}, ${isSmtpSource ? 'smtp-source' : 'own client'} -s ${connections}`,
    value: `${shown(of(({ durable }) => durable.rate))}/s, ${shown(of(({ durable }) => durable.cpuMs))} ms CPU`,
    beside: `bare listener ${shown(of(({ bare }) => bare.rate))}/s, ${shown(of(({ bare }) => bare.cpuMs))} ms CPU`,
    ratio: of(({ bare, durable }) => durable.rate / bare.rate),
    target: target === null ? null : { atLeast: target },
  };
}
