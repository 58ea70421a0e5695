// Which program listens on a TCP port of this machine, as the Linux kernel tells it in /proc. Of programs of other users, and on other
// systems, nothing is known.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/** A process that listens: its number, its program's name, where it was started; `isPillarbox`: it is one of ours. */
export type PortHolder = {
  readonly pid: number;
  readonly program: string;
  readonly folder: string | null;
  readonly isPillarbox: boolean;
};

/** The state LISTEN in /proc/net/tcp. */
const listening = '0A';

/** Who listens on the port, at whatever address; null if that cannot be found out. */
export async function findPortHolder(port: number): Promise<PortHolder | null> {
  const sockets = (
    await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((table) => socketsIn(table, port)))
  ).flat();
  if (sockets.length === 0) return null;
  const wanted = new Set(sockets.map((inode) => `socket:[${inode}]`));
  const processes = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of processes) if (await holds(pid, wanted)) return describe(Number(pid));
  return null;
}

/** The inodes of the sockets that listen on the port. A row: number, local address, remote address, state, …, the tenth is the inode. */
async function socketsIn(table: string, port: number): Promise<readonly string[]> {
  const text = await readFile(table, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    return state === listening && Number.parseInt(local.split(':')[1] ?? '', 16) === port ? [inode] : [];
  });
}

async function holds(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []); // of another user, or gone
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  return links.some((link) => sockets.has(link));
}

async function describe(pid: number): Promise<PortHolder> {
  const [file, command, folder] = await Promise.all([
    readlink(`/proc/${pid}/exe`).catch(() => 'a program'),
    readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    readlink(`/proc/${pid}/cwd`).catch(() => null),
  ]);
  // The script that Node runs; the rest of a command line may hold secrets.
  const isPillarbox = /(?:\/\.bin|\/cli)\/pillarbox(?:\.js)?$|\/local\/main\.(?:ts|js)$/.test(
    command.split('\0')[1] ?? '',
  );
  return { pid, program: basename(file), folder, isPillarbox };
}
