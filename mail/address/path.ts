// The paths of MAIL FROM and RCPT TO: angle brackets, source routes, the null reverse-path, `<postmaster>`.
// RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2, appendix C. Knows where a path ends within a command; addresses are address.ts.

import { quotedEnd } from '#mail/header/comments.ts';
import { isProblem, type Problem, problem } from '#mail/problem.ts';
import { type Domain, type EmailAddress, mailboxName, parseAddress, parseDomain } from './address.ts';

/** A path: an address; `<>`; or `<postmaster>`, which alone needs no domain (RFC 5321 §4.1.1.3). */
export type Path =
  | { readonly kind: 'address'; readonly address: EmailAddress }
  | { readonly kind: 'null' }
  | { readonly kind: 'postmaster' };

const maxLocalPartBytes = 64; // RFC 5321 §4.5.3.1.1
const maxNameBytes = 254; // as it is looked up and kept: lower case and NFC can make a name longer
const maxPathChars = 1_024; // with a source route, which is parsed and dropped

/**
 * Reads the path at the beginning of a command's argument (what follows `FROM:` or `TO:`); `rest` is what follows it,
 * the ESMTP parameters, without the space between. Spaces before the path are tolerated, a missing bracket is not.
 */
export function readPath(text: string): { readonly path: Path; readonly rest: string } | Problem {
  const argument = text.replace(/^ +/, '');
  if (!argument.startsWith('<')) return problem('a path stands in angle brackets: <name@domain>');
  const end = findPathEnd(argument);
  if (end === -1) return problem('the path has no closing angle bracket');
  if (end > maxPathChars) return problem('the path is too long');
  const after = argument.slice(end + 1);
  if (after !== '' && !after.startsWith(' ')) return problem('a space is missing behind the path');
  const path = parseInner(argument.slice(1, end));
  return isProblem(path) ? path : { path, rest: after.trim() };
}

/**
 * Says what is wrong with an address as a recipient beyond its syntax, or null: local parts of more than 64 octets are
 * refused (RFC 5321 §4.5.3.1.1), except SRS ones, which forwarders of ours and of others make of longer addresses.
 */
export function forwardPathProblem({ localPart }: EmailAddress): Problem | null {
  const isSrs = /^SRS[01][=+-]/i.test(localPart);
  if (Buffer.byteLength(localPart) > maxLocalPartBytes && !isSrs) return problem('a local part has at most 64 octets');
  const isLong = Buffer.byteLength(mailboxName(localPart)) > maxNameBytes;
  return isLong ? problem('the local part is too long') : null;
}

/** The address that `<postmaster>` without a domain means at this host (RFC 5321 §4.5.1). */
export function postmasterAddress(hostname: Domain): EmailAddress {
  return { localPart: 'postmaster', domain: hostname };
}

/** The index of the closing bracket: the first `>` outside a quoted string; -1 if there is none. */
function findPathEnd(text: string): number {
  for (let at = 1; at < text.length; at++) {
    if (text[at] === '>') return at;
    if (text[at] !== '"') continue;
    const end = quotedEnd(text, at);
    if (end === -1) return -1;
    at = end - 1;
  }
  return -1;
}

function parseInner(inner: string): Path | Problem {
  if (inner === '') return { kind: 'null' };
  if (inner.toLowerCase() === 'postmaster') return { kind: 'postmaster' };
  const mailbox = inner.startsWith('@') ? dropSourceRoute(inner) : inner;
  if (isProblem(mailbox)) return mailbox;
  const address = parseAddress(mailbox);
  return isProblem(address) ? address : { kind: 'address', address };
}

/** RFC 5321 appendix C and §4.1.1.3: a source route must be accepted, should be ignored. */
function dropSourceRoute(inner: string): string | Problem {
  const colon = findRouteEnd(inner);
  if (colon === -1) return problem('the source route has no end');
  for (const hop of inner.slice(0, colon).split(',')) {
    if (!hop.startsWith('@') || isProblem(parseDomain(hop.slice(1)))) return problem('not a source route');
  }
  return inner.slice(colon + 1);
}

/** The colon behind the route: the first one that is not within an address literal. */
function findRouteEnd(inner: string): number {
  let isLiteral = false;
  for (const [index, char] of [...inner].entries()) {
    if (char === '[') isLiteral = true;
    else if (char === ']') isLiteral = false;
    else if (char === ':' && !isLiteral) return index;
  }
  return -1;
}
