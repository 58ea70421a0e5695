// The addresses of a hook's host, if a hook may be called there at all: whoever controls a name in the DNS must not lead us into a
// network of ours, nor to the credentials of a cloud's machine (169.254.169.254).
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isLoopbackAddress } from '#mail/address/loopback.ts';
import { isPrivate } from '#mail/address/private-address.ts';
import { errorMessage, type Problem, problem } from '#mail/problem.ts';

/** Where hooks may lead besides public addresses. */
export type Reach = { readonly loopback: boolean; readonly private: boolean };

export type FoundAddress = { readonly address: string; readonly family: number };

/** All addresses of a name, by the system; rejects if there are none. */
export type LookUp = (host: string) => Promise<readonly FoundAddress[]>;

export const systemLookUp: LookUp = (host) => lookup(host, { all: true });

/** `host`: a name, or an address without brackets. A Problem if it is not found, or if one of its addresses is not allowed. */
export async function findAddresses(
  host: string,
  { lookUp, reach }: { readonly lookUp: LookUp; readonly reach: Reach },
): Promise<readonly FoundAddress[] | Problem> {
  const family = isIP(host);
  const found = family > 0 ? [{ address: host, family }] : await lookUp(host).catch(notFound(host));
  if ('problem' in found) return found;
  const refused = found.find(({ address }) => !isAllowed(address, reach));
  if (refused === undefined) return found;
  const at = refused.address === host ? host : `${host} [${refused.address}]`;
  return problem(`${at} is not a public address, and hooks may not be called there`);
}

function notFound(host: string) {
  return (thrown: unknown): Problem => problem(`${host} is not found: ${errorMessage(thrown)}`);
}

function isAllowed(address: string, reach: Reach): boolean {
  return reach.private || !isPrivate(address) || (reach.loopback && isLoopbackAddress(address));
}
