// Who may use the ops API. On loopback anybody on the machine may, but no web page from elsewhere: neither by a name that
// resolves to 127.0.0.1 (DNS rebinding) nor by a cross-site POST. Bound elsewhere, or given a token: only with the token.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { type Answer, refusal } from '#ops/api/answer.ts';
import { tokenNeeded } from './wrong-tokens.ts';

/** What the guard looks at of a request. */
export type GuardedRequest = {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
};

/** A missing token is no guess, a wrong one may be: it has an outcome of its own. */
export type Verdict =
  | { readonly outcome: 'admitted' }
  | { readonly outcome: 'refused'; readonly answer: Answer }
  | { readonly outcome: 'wrong-token' };

const minTokenLength = 16;

/**
 * Makes the guard. Throws if the API would be open to others without a token, or if the token is too short to resist
 * guessing.
 */
export function createGuard({
  host,
  token,
}: {
  readonly host: string;
  readonly token: string | undefined;
}): (request: GuardedRequest) => Verdict {
  if (token === undefined && !isLoopbackHost(host)) {
    throw new Error(`the ops API needs a token when it is bound to ${host}, which others can reach`);
  }
  if (token !== undefined && token.length < minTokenLength) {
    throw new Error(`the token of the ops API needs at least ${minTokenLength} characters`);
  }
  const isForUs = isLoopbackHost(host) ? isLoopbackHostHeader : () => true;
  return (request) => {
    if (!isForUs(header(request, 'host'))) {
      return refused('wrong-host', 'this API answers only to localhost, 127.0.0.1 and [::1] as its name');
    }
    const authorization = header(request, 'authorization');
    if (token !== undefined && authorization === undefined) return { outcome: 'refused', answer: tokenNeeded() };
    if (token !== undefined && !hasToken(authorization, token)) return { outcome: 'wrong-token' };
    if (isCrossSite(request)) return refused('cross-site', 'this is not for web pages of another origin');
    return { outcome: 'admitted' };
  };
}

function refused(code: 'wrong-host' | 'cross-site', message: string): Verdict {
  return { outcome: 'refused', answer: refusal(403, code, message) };
}

/** `Bearer TOKEN`, or Basic with the token as password: what a browser can ask for. */
function hasToken(authorization: string | undefined, token: string): boolean {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (scheme === undefined || value === undefined) return false;
  if (scheme.toLowerCase() === 'bearer') return isSame(value, token);
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return isSame(pair.slice(pair.indexOf(':') + 1), token);
}

/** Digests have one length: comparing them takes the same time whatever was sent. */
function isSame(sent: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(sent), digest(token));
}

function isLoopbackHostHeader(value: string | undefined): boolean {
  const name = /^(\[[0-9a-f:]+\]|[^:[\]]+)(?::\d{1,5})?$/i.exec(value ?? '')?.[1];
  return name !== undefined && isLoopbackHost(name);
}

/** A page from elsewhere may lead here (a link that is followed), and do nothing else: no change, no load, no listening. */
function isCrossSite(request: GuardedRequest): boolean {
  const site = header(request, 'sec-fetch-site');
  const isOurs = site === undefined || site === 'same-origin' || site === 'none';
  if (request.method === 'GET' || request.method === 'HEAD') {
    return !isOurs && header(request, 'sec-fetch-dest') !== 'document';
  }
  const origin = header(request, 'origin');
  return !isOurs || (origin !== undefined && hostOf(origin) !== header(request, 'host')?.toLowerCase());
}

function hostOf(origin: string): string | null {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? null;
}

function header(request: GuardedRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
