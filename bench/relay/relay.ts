// How fast mail is passed on: submitted (or, at Postfix, simply sent), made durable, and delivered to smtp-sink, all the
// way, at Pillarbox and at Postfix in turn. Both relay everything to one host, without TLS on the way out.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { plainMessage } from '#bench/load/messages.ts';
import { type Load, runLoad } from '#bench/load/smtp-load.ts';
import { type BenchService, freePort, startService } from '#bench/load/start-service.ts';
import { until } from '#bench/load/wait.ts';
import { hashPassword } from '#pipeline/config/password.ts';
import { hasPostfix, type Sink, startPostfix, startSink } from './postfix.ts';

const messages = 2_000;
const connections = 50;
const login = { user: 'app@load.example', password: 'bench' };

/** Two rows: messages a second from the first byte sent until the sink has the last one; the same with signatures. */
export async function measureRelay(rounds: number): Promise<readonly Row[]> {
  const sink = await startSink();
  const rows = [await measureUnsigned(sink, rounds), await measureSigned(sink, rounds)];
  sink.stop();
  return rows;
}

async function measureUnsigned(sink: Sink, rounds: number): Promise<Row> {
  const submissionPort = await freePort();
  const service = await startService('embedded', await relayConfig(submissionPort, sink.port));
  const postfix = hasPostfix() ? await startPostfix(sink.port) : null;
  const results = [];
  for (let round = 0; round <= rounds; round++) {
    const ours = await relayed(sink, { port: submissionPort, login }, service);
    const theirs = postfix === null ? null : await relayed(sink, { port: postfix.port }, null);
    if (round > 0) results.push({ ours, theirs }); // The first warms both up.
  }
  postfix?.stop();
  await service.stop();
  const rate = median(results.map(({ ours }) => ours.rate));
  const theirs = results.flatMap(({ theirs }) => (theirs === null ? [] : [theirs.rate]));
  return {
    what: `submission to smtp-sink, 4 KiB, ${connections} connections`,
    value: `${shown(rate)}/s, ${shown(median(results.map(({ ours }) => ours.cpuMs)))} ms CPU`,
    beside: theirs.length === 0 ? 'Postfix is not installed' : `Postfix relays ${shown(median(theirs))}/s`,
    ratio:
      theirs.length === 0 ? null : median(results.map(({ ours, theirs }) => ours.rate / (theirs?.rate ?? ours.rate))),
    target: { atLeast: 1 },
  };
}

async function measureSigned(sink: Sink, rounds: number): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-keys-'));
  const submissionPort = await freePort();
  const service = await startService('embedded', await relayConfig(submissionPort, sink.port, makeKeys(folder)));
  const runs = [];
  for (let round = 0; round <= rounds; round++) {
    const run = await relayed(sink, { port: submissionPort, login }, service);
    if (round > 0) runs.push(run);
  }
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
  return {
    what: 'the same, signed (DKIM)',
    value: `${shown(median(runs.map(({ rate }) => rate)))}/s, ${shown(median(runs.map(({ cpuMs }) => cpuMs)))} ms CPU`,
    beside: 'RSA-2048 and Ed25519, both',
    ratio: null,
    target: null,
  };
}

type Key = { readonly selector: string; readonly privateKey: string };

function makeKeys(folder: string): readonly Key[] {
  const pairs = [generateKeyPairSync('rsa', { modulusLength: 2_048 }), generateKeyPairSync('ed25519')];
  return pairs.map(({ privateKey }, n) => {
    const file = join(folder, `key${n}.pem`);
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    return { selector: `s${n}`, privateKey: `file:${file}` };
  });
}

async function relayed(
  sink: Sink,
  to: Pick<Load, 'port' | 'login'>,
  service: BenchService | null,
): Promise<{ rate: number; cpuMs: number }> {
  const [already, cpuBefore, startedAt] = [sink.received(), service?.cpuSeconds() ?? 0, performance.now()];
  await runLoad({ connections, messages, body: plainMessage(4_096), from: login.user, ...to });
  await until('all messages at the sink', 120, () => sink.received() - already >= messages);
  const seconds = (performance.now() - startedAt) / 1_000;
  return { rate: messages / seconds, cpuMs: (((service?.cpuSeconds() ?? 0) - cpuBefore) * 1_000) / messages };
}

async function relayConfig(
  submissionPort: number,
  sinkPort: number,
  dkim: readonly Key[] = [],
): Promise<Readonly<Record<string, unknown>>> {
  return {
    mode: 'serve',
    hostname: 'mail.load.example',
    listeners: [{ role: 'submission', port: submissionPort }],
    domains: { 'load.example': { mailboxes: ['app'], dkim } },
    users: [{ name: login.user, password: await hashPassword(login.password), mayFrom: ['*@load.example'] }],
    delivery: {
      mode: 'smarthost',
      smarthost: { host: '127.0.0.1', port: sinkPort, tls: 'none' },
      allowPrivateTargets: true,
      connectionsPerDestination: 20,
    },
  };
}
