// The pieces of an address-list (RFC 5322 §3.4, §4.4; RFC 6532), whatever it may be: one pass, linear.
import { commentEnd, quotedEnd } from '#mail/header/comments.ts';

type Mark = '@' | '<' | '>' | ',' | ';' | ':';

/**
 * A piece: `s` blanks, `c` a comment, `q` a quoted string, `l` a domain literal, `w` a word, or one of the marks by itself.
 * `x`: a quote or parenthesis without its partner, or a backslash.
 */
export type Token = { readonly kind: 's' | 'c' | 'q' | 'l' | 'w' | 'x' | Mark; readonly text: string };

const blanks = /[ \t\r\n]+/y;
const word = /[^ \t\r\n"(),:;<>@\\]+/y;
const literal = /\[[^[\]\\]*\]/y;

/** The piece that begins at an index of the text. Only where a domain stands, brackets are a literal; else part of a word. */
export function tokenAt(text: string, at: number, isDomain: boolean): Token {
  const char = text.charAt(at);
  switch (char) {
    case '@':
    case '<':
    case '>':
    case ',':
    case ';':
    case ':':
      return { kind: char, text: char };
    case '"':
      return upTo(text, at, quotedEnd(text, at), 'q');
    case '(':
      return upTo(text, at, commentEnd(text, at), 'c');
    case ')':
    case '\\':
      return { kind: 'x', text: char };
    default: {
      const blank = match(blanks, text, at);
      if (blank !== null) return { kind: 's', text: blank };
      const domain = isDomain ? match(literal, text, at) : null;
      return domain === null ? { kind: 'w', text: match(word, text, at) ?? char } : { kind: 'l', text: domain };
    }
  }
}

/** What is never closed goes on to the end. */
function upTo(text: string, from: number, end: number, kind: 'q' | 'c'): Token {
  return end === -1 ? { kind: 'x', text: text.slice(from) } : { kind, text: text.slice(from, end) };
}

function match(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}
