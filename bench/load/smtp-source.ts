// Postfix' smtp-source as the load: written in C, it leaves the processors to the server that is measured. Where it is not
// installed, smtp-load.ts takes its place, at some cost to what is measured.
import { spawn, spawnSync } from 'node:child_process';

/** Says whether smtp-source is here. */
export function hasSmtpSource(): boolean {
  return spawnSync('smtp-source', ['-h']).error === undefined;
}

/** Sends messages of `bytes` octets over kept-alive connections; answers the seconds, rejects if one is refused. */
export async function runSmtpSource(load: {
  readonly port: number;
  readonly connections: number;
  readonly messages: number;
  readonly bytes: number;
}): Promise<number> {
  const numbers = ['-s', load.connections, '-m', load.messages, '-l', load.bytes].map(String);
  const args = ['-d', ...numbers, '-f', 'ada@load.example', '-t', 'bob@bench.example', `127.0.0.1:${load.port}`];
  const startedAt = performance.now();
  const child = spawn('smtp-source', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  if (code !== 0) throw new Error(`smtp-source ended with ${code}`);
  return (performance.now() - startedAt) / 1_000;
}
