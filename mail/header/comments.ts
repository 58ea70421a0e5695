// Comments and quoted strings, as the fields of a header have them (RFC 5322 §3.2.1, §3.2.2, §3.2.4).

/** Behind the closing parenthesis of the comment that begins at an index; comments nest. -1: it is never closed. */
export function commentEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return at + 1;
  }
  return -1;
}

/** Behind the closing quote of the quoted string that begins at an index. -1: it is never closed. */
export function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return -1;
}

/** What a quoted string or comment means: without the marks at its ends and the backslashes. */
export function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gsu, '$1');
}
