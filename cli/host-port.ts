// `HOST:PORT` of an option; an IPv6 address stands in brackets.
import { usageError } from './command.ts';

export type HostPort = { readonly host: string; readonly port: number };

/** Throws a usage error that names the option. */
export function parseHostPort(text: string, option: string): HostPort {
  const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === '' || Number(port) < 1 || Number(port) > 65_535)
    throw usageError(`${option} ${text}: expected HOST:PORT`);
  return { host, port: Number(port) };
}
