// The fields about a body as programs write them, for a reader that knows no comments: RFC 2045 §5.1 allows them there.
import { commentEnd, quotedEnd } from '#mail/header/comments.ts';

/**
 * The value without comments that stand first, before a semicolon or at the end (`text/plain; charset=us-ascii (plain)`).
 * What else is in parentheses stays: an unquoted `name=report (1).pdf` is no comment to whoever wrote it. Linear.
 */
export function withoutComments(value: string): string {
  let result = '';
  let copied = 0;
  for (let at = 0; at < value.length; at += 1) {
    const char = value.charAt(at);
    const isComment = char === '(' && /^[\s;]?$/.test(value.charAt(at - 1));
    if (char !== '"' && !isComment) continue;
    const end = isComment ? commentEnd(value, at) : quotedEnd(value, at);
    if (end < 0) break;
    const next = /\S/.exec(value.slice(end, end + 80))?.[0] ?? '';
    const isFirst = value.slice(copied, at).trim() === '' && result.trim() === '';
    if (isComment && (isFirst || next === '' || next === ';')) {
      result += value.slice(copied, at);
      copied = end;
    }
    at = end - 1;
  }
  return result + value.slice(copied);
}
