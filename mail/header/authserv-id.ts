// Whose verdict an Authentication-Results field claims to be (RFC 8601 §2.2, §5).

/** The authserv-id of a field's value: what stands first, comments aside, as a token or quoted; in lower case, no final dot. */
export function authservId(value: string): string {
  const found = /^(?:"([^"]*)"|([^\s;/"(]+))/.exec(value.slice(commentsEnd(value)));
  return hostKey(found?.[1] ?? found?.[2] ?? '');
}

/**
 * Says whether a field claims to be the verdict of the host of that name. A message that comes in with such a field was
 * forged, where that host is the one that takes it in and writes no such fields itself.
 */
export function claimsToJudge(
  { name, value }: { readonly name: string; readonly value: string },
  host: string,
): boolean {
  return name.toLowerCase() === 'authentication-results' && authservId(value) === hostKey(host);
}

/** Behind the white space and comments that stand first; comments nest (RFC 5322 §3.2.2). */
function commentsEnd(value: string): number {
  let depth = 0;
  for (let at = 0; at < value.length; at++) {
    const char = value.charAt(at);
    if (char === '(') depth++;
    else if (depth === 0 && char.trim() !== '') return at;
    else if (char === ')') depth--;
    else if (char === '\\') at++;
  }
  return value.length;
}

function hostKey(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}
