// Debian's Postfix as the yardstick of relaying: an instance of its own in a temporary folder, taking mail on one port of
// loopback and passing all of it to one relay host. It needs root (Postfix' master insists); where it is not installed
// or not allowed, there is nothing to compare with.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '#bench/load/start-service.ts';
import { whenGreeted } from '#bench/load/wait.ts';

export type Postfix = { readonly port: number; readonly stop: () => void };

/** Says whether Postfix and its test programs are here, and may be run. */
export function hasPostfix(): boolean {
  return process.getuid?.() === 0 && spawnSync('postconf', ['-d', 'mail_version']).status === 0;
}

/** Starts Postfix in front of a relay host on loopback. Rejects with its log where it does not come up. */
export async function startPostfix(relayPort: number): Promise<Postfix> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-postfix-'));
  chmodSync(folder, 0o755);
  const port = await freePort();
  for (const name of ['etc', 'spool', 'data']) mkdirSync(join(folder, name), { mode: 0o755 });
  execFileSync('chown', ['postfix', join(folder, 'data')]);
  writeFileSync(join(folder, 'etc', 'main.cf'), mainCf(folder, relayPort));
  writeFileSync(join(folder, 'etc', 'master.cf'), masterCf(port));
  const run = (command: string) => spawnSync('postfix', ['-c', join(folder, 'etc'), command], { encoding: 'utf8' });
  const started = run('start');
  const stop = () => {
    run('stop');
    rmSync(folder, { recursive: true, force: true });
  };
  return whenGreeted(port).then(
    () => ({ port, stop }),
    () => {
      const log = readFileSync(join(folder, 'log'), { encoding: 'utf8', flag: 'a+' });
      stop();
      throw new Error(`Postfix did not start: ${started.stderr}${log}`);
    },
  );
}

/** `received`: how many messages have come so far. */
export type Sink = { readonly port: number; readonly received: () => number; readonly stop: () => void };

/** smtp-sink: a receiver that throws away as fast as it can, and counts. */
export async function startSink(): Promise<Sink> {
  const port = await freePort();
  const child = spawn('smtp-sink', ['-u', 'nobody', '-c', `127.0.0.1:${port}`, '1000'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let received = 0;
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    received = Number([...text.matchAll(/mesg=(\d+)/g)].at(-1)?.[1] ?? received);
  });
  await whenGreeted(port);
  return { port, received: () => received, stop: () => child.kill('SIGKILL') };
}

function mainCf(folder: string, relayPort: number): string {
  return `compatibility_level = 3.6
queue_directory = ${folder}/spool
data_directory = ${folder}/data
maillog_file = ${folder}/log
maillog_file_prefixes = ${folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.bench.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
relayhost = [127.0.0.1]:${relayPort}
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_destination_concurrency_limit = 20
smtp_connection_cache_on_demand = yes
smtp_tls_security_level = none
`;
}

function masterCf(port: number): string {
  const services = [
    `127.0.0.1:${port} inet n - n - 100 smtpd`,
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'smtp unix - - n - - smtp',
    'relay unix - - n - - smtp',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'postlog unix-dgram n - n - 1 postlogd',
  ];
  return `${services.join('\n')}\n`;
}
