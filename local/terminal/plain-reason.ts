// Why the service could not start: what stands in the way, who holds it, and what to type instead.
import { dirname } from 'node:path';
import { findServer, smtpOf } from '#ops/running-server.ts';
import type { Config } from '#pipeline/config/config.ts';
import { type Arguments, optionOf } from './arguments.ts';
import { findPortHolder } from './port-holder.ts';

/** What was to be started: `command` is what was typed, `listeners` the ports to open, `hasFile` whether there is a configuration. */
export type FailedStart = {
  readonly args: Pick<Arguments, 'dataFolder' | 'configPath' | 'world' | 'http'>;
  readonly command: StartCommand;
  readonly listeners: Config['listeners'];
  readonly hasFile: boolean;
};

/** `npx pillarbox` or `npm start --`, and what stood behind it. */
export type StartCommand = { readonly program: string; readonly given: readonly string[] };

/** The reason of a failed start; a configuration's faults come with their paths, one a line. */
export async function plainReason(error: unknown, start: FailedStart): Promise<string> {
  if (!(error instanceof Error)) return String(error);
  const { args } = start;
  const { code, port, address, path } = facts(error);
  switch (code) {
    case 'EADDRINUSE':
      return takenPort(Number(port), address, start);
    case 'EADDRNOTAVAIL':
      return `${address} is not an address of this machine`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'EEXIST':
    case 'ENOTDIR':
    case 'ENOSPC':
      if (port !== '')
        return `port ${port} on ${address} may not be opened (ports below 1024 need rights; use a higher one)`;
      return `${path === '' ? args.dataFolder : path} cannot be written (${code}); --data names another folder`;
    case 'ENOENT':
      if (args.configPath !== null && path.endsWith(args.configPath)) return `there is no ${args.configPath}`;
      return `there is no ${path === '' ? dirname(args.dataFolder) : path}`;
    case 'ERR_MODULE_NOT_FOUND':
      if (args.world === 'emulator') return '--world emulator is in the repository only, not in the package';
  }
  return / is in use by another Pillarbox$/.test(error.message) ? takenFolder(error.message, start) : error.message;
}

async function takenPort(port: number, address: string, start: FailedStart): Promise<string> {
  const role = start.listeners.find((one) => one.port === port)?.role;
  const option = role === undefined ? 'http' : optionOf(role);
  const holder = await findPortHolder(port);
  const who = holder === null ? 'another program' : holder.isPillarbox ? 'another Pillarbox' : holder.program;
  const where = holder?.folder == null ? '' : `, started in ${holder.folder}`;
  const process = holder === null ? '' : ` (process ${holder.pid}${where})`;
  // Where another Pillarbox has one port, it is likely to have the others, too.
  const options = holder?.isPillarbox === true ? portsOf(start) : [];
  const instead = anyFree(start.command, [...new Set([option, ...options])]);
  return `port ${port} on ${address} is taken by ${who}${process}\nAny free port instead: ${instead}`;
}

/** Both servers would keep their mail in one folder: a second one needs a folder, and ports, of its own. */
async function takenFolder(message: string, start: FailedStart): Promise<string> {
  const { args, command } = start;
  const running = await findServer(args.dataFolder);
  const smtp = running === null ? null : smtpOf(running);
  const its = [smtp === null ? null : `SMTP ${smtp.host}:${smtp.port}`, running?.http].filter((part) => part != null);
  const who = running === null ? message : `${message} (process ${running.pid}: ${its.join(', ')})`;
  const folder = `${args.dataFolder.replace(/\/+$/, '')}-2`;
  const beside = anyFree(command, ['data', ...portsOf(start)], { data: folder });
  return `${who}\nAnother one beside it: ${beside}`;
}

/** The options of the ports that a second server needs for itself: without a configuration `--smtp` is the only one for mail. */
function portsOf({ listeners, hasFile, args }: FailedStart): readonly string[] {
  const roles = listeners.filter(({ role, port }) => (hasFile || role === 'mx') && port !== 0).map(({ role }) => role);
  return [...new Set(roles.map(optionOf)), ...(args.http.port === 0 ? [] : ['http'])];
}

/** The command as it was typed, with port 0 (or what `values` says) for these options. */
function anyFree(
  { program, given }: StartCommand,
  options: readonly string[],
  values: Readonly<Record<string, string>> = {},
): string {
  const kept: string[] = [];
  for (const [n, word] of given.entries()) {
    const isChanged = (text: string | undefined): boolean => options.some((name) => text === `--${name}`);
    if (isChanged(word) || isChanged(given[n - 1]) || options.some((name) => word.startsWith(`--${name}=`))) continue;
    kept.push(/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
  }
  return [program, ...kept, ...options.map((name) => `--${name} ${values[name] ?? '0'}`)].join(' ');
}

function facts(error: Error): { code: string; port: string; address: string; path: string } {
  const text = (name: string): string => {
    const value: unknown = Reflect.get(error, name);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  return { code: text('code'), port: text('port'), address: text('address'), path: text('path') };
}
