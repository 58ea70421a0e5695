// DNS out of a literal: a name that is not in it does not exist, a type that is not there has no data, and a word
// in place of the records is a failure. Every query is recorded.
import type { Resolve } from '#pipeline/contract/ports.ts';

/** The ways a question can fail: the server fails, no answer in time, refused, or (never settling) a server that is mute. */
export type ZoneFailure = 'SERVFAIL' | 'TIMEOUT' | 'REFUSED' | 'MUTE';

/** Records by type, in the shape `dns.promises.resolve` gives them (TXT: an array of arrays of strings; plain strings are wrapped). */
export type Zone = Readonly<Record<string, Readonly<Record<string, readonly unknown[] | ZoneFailure>> | ZoneFailure>>;

export type ZoneResolver = Resolve & { readonly queries: { readonly name: string; readonly type: string }[] };

const codes = { SERVFAIL: 'ESERVFAIL', TIMEOUT: 'ETIMEOUT', REFUSED: 'EREFUSED' } as const;

/** A resolver over the zone; names are looked up in lower case, without a trailing dot. `*.name` matches like in DNS. */
export function zoneResolver(zone: Zone): ZoneResolver {
  const entries = new Map(Object.entries(zone).map(([name, records]) => [normal(name), records]));
  const queries: { name: string; type: string }[] = [];
  const resolve = async (name: string, type = 'A'): Promise<unknown> => {
    queries.push({ name: normal(name), type });
    const records = entries.get(normal(name)) ?? entries.get(normal(name).replace(/^[^.]+/, '*'));
    if (records === undefined) {
      const isEmptyNonTerminal = [...entries.keys()].some((other) => other.endsWith(`.${normal(name)}`));
      throw failure(isEmptyNonTerminal ? 'ENODATA' : 'ENOTFOUND', name, type);
    }
    const found = typeof records === 'string' ? records : records[type];
    if (found === undefined || found.length === 0) throw failure('ENODATA', name, type);
    if (found === 'MUTE') return new Promise(() => {});
    if (typeof found === 'string') throw failure(codes[found as keyof typeof codes], name, type);
    return type === 'TXT' ? found.map((text) => (typeof text === 'string' ? [text] : text)) : structuredClone(found);
  };
  return Object.assign(resolve, { queries });
}

function normal(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function failure(code: string, hostname: string, type: string): Error {
  return Object.assign(new Error(`query${type} ${code} ${hostname}`), { code, hostname, syscall: `query${type}` });
}
