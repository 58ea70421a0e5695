// The pieces of an address-list (RFC 5322 §3.4, §4.4; RFC 6532), whatever it may be: one pass, linear.
import { commentEnd, quotedEnd, unquoted } from '#mail/header/comments.ts';

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

/** Says whether a piece stands for nothing: blanks, or a comment. */
export function isBlank({ kind }: Token): boolean {
  return kind === 's' || kind === 'c';
}

/** Some pieces as a text, without blanks and comments. */
export function packed(tokens: readonly Token[]): string {
  return tokens
    .filter((token) => !isBlank(token))
    .map(({ text }) => text)
    .join('');
}

/** Some pieces as a text, with a space for each run of blanks and comments. */
export function joined(tokens: readonly Token[]): string {
  return tidy(tokens.map((token) => (isBlank(token) ? ' ' : token.text)).join(''));
}

/** What a program shows of a name: quotes and backslashes taken off, comments left out. */
export function shownText(tokens: readonly Token[]): string {
  const texts = tokens.map(({ kind, text }) => (kind === 'q' ? unquoted(text) : kind === 'c' ? '' : text));
  return tidy(texts.join(''));
}

/** What the comments among some pieces say. */
export function commentText(tokens: readonly Token[]): string {
  return tidy(tokens.map(({ kind, text }) => (kind === 'c' ? `${unquoted(text)} ` : '')).join(''));
}

function tidy(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
