// The fields about a body as programs write them, for a reader that knows no comments: RFC 2045 §5.1 allows them there.

/**
 * The value without comments that stand first, before a semicolon or at the end (`text/plain; charset=us-ascii (plain)`).
 * What else is in parentheses stays: an unquoted `name=report (1).pdf` is no comment to whoever wrote it. Linear.
 */
export function withoutComments(value: string): string {
  let result = '';
  let copied = 0;
  for (let at = 0; at < value.length; at += 1) {
    const char = value.charAt(at);
    if (char === '"') at = quotedEnd(value, at);
    if (char !== '(' || !/^[\s;]?$/.test(value.charAt(at - 1))) continue;
    const end = commentEnd(value, at);
    if (end < 0) break;
    const next = /\S/.exec(value.slice(end, end + 80))?.[0] ?? '';
    const isFirst = value.slice(copied, at).trim() === '' && result.trim() === '';
    if (isFirst || next === '' || next === ';') {
      result += value.slice(copied, at);
      copied = end;
    }
    at = end - 1;
  }
  return result + value.slice(copied);
}

/** At the closing quote, or at the end where there is none. */
function quotedEnd(value: string, start: number): number {
  let at = start + 1;
  for (; at < value.length && value.charAt(at) !== '"'; at += 1) if (value.charAt(at) === '\\') at += 1;
  return at;
}

/** Behind the closing parenthesis (comments nest, RFC 5322 §3.2.2); -1 where there is none. */
function commentEnd(value: string, start: number): number {
  let depth = 0;
  for (let at = start; at < value.length; at += 1) {
    const char = value.charAt(at);
    if (char === '\\') at += 1;
    else if (char === '(') depth += 1;
    else if (char === ')') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}
