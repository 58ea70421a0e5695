// RFC 8601 §5: a message may bring Authentication-Results that claim to be ours. We write none into messages, so all such
// are forged; the stored bytes stay as they are, and whoever reads the JSON is warned.
import type { ParsedHead } from './worker-messages.ts';

/** Says whether a field claims to be the verdict of the host of that name. */
export function hasForgedResults(headers: ParsedHead['headers'], hostname: string): boolean {
  return headers.some(
    ({ name, value }) =>
      name.toLowerCase() === 'authentication-results' && judgeOf(value) === hostname.toLowerCase().replace(/\.$/, ''),
  );
}

/** The authserv-id (RFC 8601 §2.2): what stands first, comments aside, as a token or quoted. */
function judgeOf(value: string): string {
  const plain = value.replace(/\([^()]*\)/g, ' ').trim();
  const found = /^(?:"([^"]*)"|([^\s;/"]+))/.exec(plain);
  return (found?.[1] ?? found?.[2] ?? '').toLowerCase().replace(/\.$/, '');
}
