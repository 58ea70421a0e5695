// A real DNS server (dnsmasq) with a zone of the test's own on a free port of 127.0.0.1: what is not in the zone does not
// exist (NXDOMAIN), domains in `refused` are answered REFUSED, those in `broken` SERVFAIL.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { freePort } from './free-port.ts';
import { findPeer } from './peers.ts';

export type DnsZone = {
  /** Domain → its mail hosts, each `preference host`. */
  readonly mx?: Readonly<Record<string, readonly string[]>>;
  readonly a?: Readonly<Record<string, string>>;
  readonly txt?: Readonly<Record<string, string>>;
  readonly cname?: Readonly<Record<string, string>>;
  /** Domains that take no mail (RFC 7505). */
  readonly nullMx?: readonly string[];
  readonly refused?: readonly string[];
  readonly broken?: readonly string[];
};

export type PeerDns = { readonly port: number; readonly server: string; readonly close: () => void };

/** Starts it and waits until it answers. */
export async function startDns(zone: DnsZone): Promise<PeerDns> {
  const port = await freePort();
  const broken = await startBrokenDns();
  const args = [
    '--keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces --log-facility=/dev/null',
    '--listen-address=127.0.0.1 --pid-file= --local=/#/ --cache-size=0 --host-record=up.test,127.0.0.1',
    `--port=${port} --user=${process.getuid?.() === 0 ? 'root' : ''}`,
    ...Object.entries(zone.mx ?? {}).flatMap(([domain, hosts]) =>
      hosts.map((entry) => `--mx-host=${domain},${entry.split(' ')[1]},${entry.split(' ')[0]}`),
    ),
    ...Object.entries(zone.a ?? {}).map(([name, ip]) => `--host-record=${name},${ip}`),
    ...Object.entries(zone.cname ?? {}).map(([name, target]) => `--cname=${name},${target}`),
    ...(zone.nullMx ?? []).map((domain) => `--dns-rr=${domain},15,000000`),
    ...(zone.refused ?? []).map((domain) => `--server=/${domain}/#`),
    ...(zone.broken ?? []).map((domain) => `--server=/${domain}/127.0.0.1#${broken.port}`),
  ].flatMap((line) => line.split(' '));
  const texts = Object.entries(zone.txt ?? {}).map(
    ([name, text]) => `--txt-record=${name},${(text.match(/.{1,200}/g) ?? []).join(',')}`,
  );
  const child = spawn(findPeer('dnsmasq') ?? 'dnsmasq', [...args, ...texts], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (piece) => {
    complaint += piece;
  });
  const resolver = new Resolver({ timeout: 250, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  for (const end = Date.now() + 30_000; !(await resolver.resolve4('up.test').catch(() => null)); ) {
    if (child.exitCode !== null || Date.now() > end) throw new Error(`dnsmasq does not start: ${complaint}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    port,
    server: `127.0.0.1:${port}`,
    close: () => {
      child.kill('SIGKILL');
      broken.close();
    },
  };
}

/** Answers SERVFAIL (RFC 1035 §4.1.1) to every question. */
function startBrokenDns(): Promise<{ port: number; close: () => void }> {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const answer = Buffer.from(question);
    answer[2] = (answer[2] ?? 0) | 0x80;
    answer[3] = 0x82;
    socket.send(answer, from.port, from.address);
  });
  return new Promise((resolve) => {
    socket.bind(0, '127.0.0.1', () => resolve({ port: socket.address().port, close: () => socket.close() }));
  });
}
