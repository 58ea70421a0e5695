// Fetches the file of an MTA-STS policy (RFC 8461 §3.3): HTTPS with a certificate that proves the host's name, no redirects,
// bounded in time and size. Connects only to the addresses it is given, which the caller has checked.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { errorMessage } from '#mail/problem.ts';

/** The host that has a policy: its name, its addresses, and the port (443, but for tests). */
export type PolicyHost = { readonly host: string; readonly addresses: readonly string[]; readonly port: number };

/** The file's text, or why it could not be had, as the end of a sentence. */
export type PolicyFile =
  | { readonly outcome: 'file'; readonly text: string }
  | { readonly outcome: 'failed'; readonly reason: string };

export type FetchPolicy = (where: PolicyHost) => Promise<PolicyFile>;

const longestFetchMs = 10_000; // RFC 8461 §3.3 suggests a minute; a message waits here
const maxPolicyBytes = 65_536;

/** Makes the function that fetches. `trustedCertificates`: besides the system's own, PEM. It never rejects. */
export function createPolicyFetch(
  trustedCertificates: readonly string[] = [],
  fetchMs: number = longestFetchMs,
): FetchPolicy {
  const trust = trustedCertificates.length === 0 ? {} : { ca: [...rootCertificates, ...trustedCertificates] };
  return async ({ host, addresses, port }) => {
    const signal = AbortSignal.timeout(fetchMs);
    try {
      const request = get({
        ...trust,
        host,
        port,
        path: '/.well-known/mta-sts.txt',
        agent: false,
        servername: host,
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        lookup: lookupAmong(addresses),
        signal,
      });
      request.on('error', () => undefined);
      const [response]: [IncomingMessage] = await once(request, 'response').then(([first]) => [first]);
      return await readFile(response).finally(() => request.destroy());
    } catch (error) {
      return failed(signal.aborted ? `no answer within ${fetchMs / 1_000} s` : wordsOf(error));
    }
  };
}

/** A redirect is not followed: whatever is not 200 is no policy. */
async function readFile(response: IncomingMessage): Promise<PolicyFile> {
  if (response.statusCode !== 200) return failed(`the host answered HTTP ${response.statusCode}`);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response) {
    if (!(piece instanceof Uint8Array)) continue;
    bytes += piece.length;
    if (bytes > maxPolicyBytes) return failed(`the file is larger than ${maxPolicyBytes} bytes`);
    pieces.push(piece);
  }
  return { outcome: 'file', text: Buffer.concat(pieces).toString('utf8') };
}

/** Answers with these addresses, in the form that was asked for. */
function lookupAmong(addresses: readonly string[]): LookupFunction {
  const known = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_name, options, answer) => {
    const [first] = known;
    if (first === undefined) answer(new Error('no address'), '');
    else if (options.all) answer(null, known);
    else answer(null, first.address, first.family);
  };
}

function failed(reason: string): PolicyFile {
  return { outcome: 'failed', reason };
}

/** Attempts at several addresses fail as one error without words of its own. */
function wordsOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return errorMessage(first);
}
