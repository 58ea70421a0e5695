// Why the service could not start, in one line a person can act on.
import { dirname } from 'node:path';
import type { Arguments } from './arguments.ts';

/** The reason of a failed start; a configuration's faults come with their paths, one a line. */
export function plainReason(error: unknown, args: Pick<Arguments, 'dataFolder' | 'configPath' | 'world'>): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port, address, path } = facts(error);
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${address} is taken by another program (is Pillarbox running already?)`;
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
  return error.message;
}

function facts(error: Error): { code: string; port: string; address: string; path: string } {
  const text = (name: string): string => {
    const value: unknown = Reflect.get(error, name);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  return { code: text('code'), port: text('port'), address: text('address'), path: text('path') };
}
