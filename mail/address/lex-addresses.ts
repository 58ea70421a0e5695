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

/** Some pieces as they stand. */
export function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join('');
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

/** Where the @ signs are. */
export function marksIn(tokens: readonly Token[]): readonly number[] {
  return tokens.flatMap(({ kind }, index) => (kind === '@' ? [index] : []));
}

/**
 * The address around an @ sign: what stands right beside it, and on the other side of a dot (§4.4 allows blanks and
 * comments there). `from` and `to` are the pieces that it is made of; `short` is what is read by programs that end it at a blank.
 */
export function addressAt(
  tokens: readonly Token[],
  mark: number,
): { readonly from: number; readonly to: number; readonly text: string; readonly short: string } {
  let from = mark;
  for (let index = skipBlanks(tokens, mark, -1); isPart(tokens[index], 'wq'); ) {
    const piece = tokens[index]?.text ?? '';
    from = index;
    const next = skipBlanks(tokens, index, -1);
    const isJoined = next === index - 1 || piece.startsWith('.') || tokens[next]?.text === '.';
    if (!isJoined) break;
    index = next;
  }
  let to = mark + 1;
  for (let index = skipBlanks(tokens, mark, 1); isPart(tokens[index], 'wl'); ) {
    const piece = tokens[index]?.text ?? '';
    to = index + 1;
    const next = skipBlanks(tokens, index, 1);
    if (next !== index + 1 && !piece.endsWith('.') && tokens[next]?.text.startsWith('.') !== true) break;
    index = next;
  }
  const first = skipBlanks(tokens, mark, 1);
  return { from, to, text: packed(tokens.slice(from, to)), short: packed(tokens.slice(from, Math.min(first + 1, to))) };
}

/** The next piece in a direction that is no blank. */
function skipBlanks(tokens: readonly Token[], from: number, step: 1 | -1): number {
  let index = from + step;
  for (let token = tokens[index]; token !== undefined && isBlank(token); token = tokens[index]) index += step;
  return index;
}

/** Says whether there is a piece, and it is of one of some kinds. */
export function isPart(token: Token | undefined, kinds: string): boolean {
  return token !== undefined && kinds.includes(token.kind);
}

function tidy(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
