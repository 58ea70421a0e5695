// Runs a test file in a network of its own: loopback alone, its own name server and addresses, every port free. So what is
// deployed can run with the very ports and names of its templates, and nothing of it can leave this machine.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';

const mark = 'PILLARBOX_TEST_NETWORK';
const setUp =
  'set -e; ip link set lo up; for address in $ADDRESSES; do ip addr add "$address" dev lo; done;' +
  'echo "nameserver 127.0.0.1" > "$RESOLV"; mount --bind "$RESOLV" /etc/resolv.conf; exec "$@"';

/** The options of every test of the file: where there can be no such network they are skipped (under CI: an error). */
export async function enterOwnNetwork(
  file: string,
  addresses: readonly string[],
): Promise<{ readonly options: { skip?: string } }> {
  if (process.env[mark] === 'own') return { options: {} };
  const options = peerOptions('unshare', 'ip', 'dnsmasq');
  if (options.skip !== undefined) return { options };
  // A process space too: whatever is left behind ends with it, also when the runner ends this process before its time.
  const space = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const flags = [...space, ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
  const probe = spawnSync('unshare', [...flags, 'sh', '-c', 'ip link set lo up && mount --bind /tmp /mnt']);
  if (probe.status !== 0) {
    const skip = `no network of its own can be had here: ${String(probe.stderr).trim()}`;
    if (process.env['CI']) throw new Error(skip);
    return { options: { skip } };
  }
  process.exit(await again(flags, fileURLToPath(file), addresses));
}

/** The same process once more, inside: the runner hears its results through the same pipe. */
async function again(flags: readonly string[], file: string, addresses: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-network-'));
  const command = ['sh', '-c', setUp, 'sh', process.execPath, ...process.execArgv, file];
  const onlyRoot = flags.includes('--map-root-user') ? { PILLARBOX_TEST_ONLY_ROOT: '1' } : {};
  const env = {
    ...process.env,
    ...onlyRoot,
    [mark]: 'own',
    ADDRESSES: addresses.join(' '),
    RESOLV: join(folder, 'resolv.conf'),
  };
  const child = spawn('unshare', [...flags, ...command], { stdio: 'inherit', env });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => child.kill('SIGKILL'));
  const [code] = await once(child, 'exit');
  rmSync(folder, { recursive: true, force: true });
  return typeof code === 'number' ? code : 1;
}

/** A name server on port 53 of the own network that knows `records` (options of dnsmasq) and nothing else. */
export async function startNames(records: readonly string[]): Promise<ChildProcess> {
  const child = spawn(findPeer('dnsmasq') ?? 'dnsmasq', [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    '--user=root',
    '--pid-file=',
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    '--local=/#/',
    '--log-facility=-',
    ...records,
  ]);
  let said = '';
  for await (const piece of child.stderr) {
    said += String(piece);
    if (said.includes('started')) return child;
  }
  throw new Error(`dnsmasq did not start: ${said}`);
}
