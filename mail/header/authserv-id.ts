// Whose verdict a field claims to be: Authentication-Results (RFC 8601 §2.2), ARC-Authentication-Results (RFC 8617 §4.1.1), which has
// `i=1;` before it, and Received-SPF (RFC 7208 §9.1), which names its host in its comment and as `receiver=`.
import { domainToASCII } from 'node:url';
import { commentEnd, quotedEnd, unquoted } from './comments.ts';
import { decodeWords } from './decode-text.ts';

/** The names of the fields that hold a verdict. */
export const verdictField = /^(?:(?:arc-)?authentication-results|received-spf)$/i;

/** The authserv-id of a value: what stands first, comments aside, as a token or quoted; in lower case, no final dot. */
export function authservId(value: string): string {
  const start = commentsEnd(value, 0);
  if (value[start] === '"') {
    const end = quotedEnd(value, start);
    return end === -1 ? '' : hostKey(unquoted(value.slice(start, end)));
  }
  return hostKey(/^[^\s;/"(]+/.exec(value.slice(start, start + 1_000))?.[0] ?? '');
}

/**
 * Says whether a field claims to be the verdict of the host of that name. A message that comes in with such a field was
 * forged if that host is the one that takes it in and writes no such fields itself.
 */
export function claimsToJudge(
  { name, value }: { readonly name: string; readonly value: string },
  host: string,
): boolean {
  return [value, decodeWords(value)].some((text) => hostsOf(name, text).includes(hostKey(host)));
}

function hostsOf(name: string, value: string): readonly string[] {
  switch (name.toLowerCase()) {
    case 'authentication-results':
      return [authservId(value)];
    case 'arc-authentication-results':
      return [authservId(value), authservId(behindInstance(value))];
    case 'received-spf':
      return receivers(value);
    default:
      return [];
  }
}

/** What follows `i=1;`. */
function behindInstance(value: string): string {
  for (let at = 0; at < value.length; at++) {
    at = commentsEnd(value, at);
    if (value[at] === ';') return value.slice(at + 1);
  }
  return '';
}

/** Who is named as the host that checked, in the comment and as `receiver=`. */
function receivers(value: string): readonly string[] {
  const plain = value.replace(/["\\]/g, '');
  return [...plain.matchAll(/(?:\(\s{0,99}|\breceiver\s{0,99}=\s{0,99})([^\s:;()=]+)/gi)].map(([, host = '']) =>
    hostKey(host),
  );
}

/** Behind the white space and comments that stand at an index. What is never closed goes on to the end. */
function commentsEnd(value: string, start: number): number {
  let at = start;
  while (at < value.length) {
    if (value[at] === '(') at = commentEnd(value, at) === -1 ? value.length : commentEnd(value, at);
    else if (value.charAt(at).trim() === '') at++;
    else break;
  }
  return at;
}

/** As IDNA knows the name (UTS 46), in lower case. */
function hostKey(host: string): string {
  return (domainToASCII(host) || host.toLowerCase()).replace(/\.$/, '');
}
