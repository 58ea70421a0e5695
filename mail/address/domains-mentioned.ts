// The domains that a text may show somebody, where no two programs read it alike.
import { domainToASCII } from 'node:url';
import { decodeWords } from '#mail/header/decode-text.ts';
import { isProblem } from '#mail/problem.ts';
import { type Domain, parseDomain } from './address.ts';

const maxNames = 1_000;
const maxNameChars = 1_000;
const unseen = /\p{Cf}/gu;
/** Some programs drop them, to others they are blanks: TAB, CR and LF are among them. */
const control = /\p{Cc}/gu;
const blanksAroundDot = /(?<!\s)\s*([.@\u3002])\s*/gu;
/** What follows an @. */
const mention = /@+\[?([^\s<>(),;:"\\@[\]]*)/g;

/**
 * The domains behind any @ of a text, as IDNA reads them (UTS 46): what it drops or maps is no disguise. Null stands for all that
 * is no domain.
 */
export function domainsMentioned(text: string): readonly (Domain | null)[] {
  if (!text.includes('@') && !/[=\uff20\ufe6b]/.test(text)) return [];
  const names = new Set<string>();
  const seen = new Set<string>();
  for (const reading of readings(text)) {
    if (!seen.has(reading)) addNames(names, reading);
    if (names.size >= maxNames) break;
    seen.add(reading);
  }
  return [...new Set([...names].flatMap(domainsOf))];
}

function addNames(names: Set<string>, text: string): void {
  const tight = text.replace(blanksAroundDot, '$1');
  for (const [, name = ''] of tight.matchAll(mention)) {
    if (names.size >= maxNames) return;
    names.add(name);
  }
  if (tight === text) return;
  // `ceo@victim.example .evil.example` ends at the blank to some.
  for (const [, name = ''] of text.matchAll(mention)) {
    if (names.size >= maxNames) return;
    if (name.includes('.')) names.add(name);
  }
}

/** What programs make of a text: those that decode it, or drop blanks, comments, backslashes, brackets or controls. */
function* readings(text: string): Generator<string> {
  const plain = withPlainWords(text);
  const encoded = new Set([text, plain, plain.replaceAll('?=', '?= ')]);
  for (const decoded of new Set([text, ...[...encoded].map(decodeWords)])) {
    const given = decoded.normalize('NFKC');
    for (const reading of [...mended(given.replace(unseen, '')), ...(given === decoded ? [] : [decoded])]) {
      yield reading.replace(control, ' ');
      yield reading.replace(control, '');
    }
  }
}

/** Python's email package decodes words of any charset, and those with question marks in them. */
function withPlainWords(text: string): string {
  const start = /=\?[^?]*\?([bq])\?/gi;
  let plain = '';
  let at = 0;
  for (let match = start.exec(text); match !== null; match = start.exec(text)) {
    const end = text.indexOf('?=', start.lastIndex);
    if (end === -1) break;
    const payload = text.slice(start.lastIndex, end).replaceAll('?', '');
    plain += `${text.slice(at, match.index)}=?utf-8?${match[1]}?${payload}?=`;
    at = end + 2;
    start.lastIndex = at;
  }
  return plain + text.slice(at);
}

function* mended(text: string): Generator<string> {
  const plain = withoutComments(text);
  for (const reading of new Set([text, plain])) {
    yield reading;
    yield withoutInnerBlanks(reading);
  }
  if (text.includes('\\')) yield text.replaceAll('\\', '');
  if (!text.includes('>')) return;
  yield plain.replace(/<[^<>]*>/g, '');
  const joined = withoutBrackets(plain);
  yield joined;
  yield withoutInnerBlanks(joined);
}

/** What is no domain may begin with one. */
function domainsOf(name: string): readonly (Domain | null)[] {
  const starts = [/^[\p{L}\p{M}\p{N}.\u3002_-]*/u, /^[\w.-]*\.[\w-]+(?=[^\0-\x7f.][^.]*$)/].flatMap(
    (pattern) => pattern.exec(name) ?? [],
  );
  return [...new Set([name, ...starts])].map(domainOf);
}

/** Addresses stand in quotes and at the end of sentences, too. */
function domainOf(name: string): Domain | null {
  const domain = parseDomain(domainToASCII(name.slice(0, maxNameChars).replace(/^[.']+|[.']+$/g, '')));
  return isProblem(domain) ? null : domain;
}

/** Python's email package drops the blanks within a domain. Before a word with an @ they part two addresses. */
function withoutInnerBlanks(text: string): string {
  return text.replace(/\s+(?![^\s<>(),;:]{0,200}@)/g, '');
}

/** `ceo@victim.ex(a)ample`; comments nest, in ours three deep. */
function withoutComments(text: string): string {
  const inner = /\([^()]*\)/g;
  return text.replace(inner, '').replace(inner, '').replace(inner, '');
}

/** Mail::Address (Perl) joins what stands in several brackets: `<ceo@victim.ex>x<ample>`. */
function withoutBrackets(text: string): string {
  let depth = 0;
  let isBehind = false;
  const parts = text.split(/(?=[<>])/).map((part) => {
    if (part.startsWith('<')) depth += 1;
    isBehind = depth === 0 && isBehind;
    if (part.startsWith('>') && depth > 0) {
      depth -= 1;
      isBehind = depth === 0;
    }
    const inner = part.replace(/^[<>]/, '');
    return isBehind ? '' : inner.includes('@') ? ` ${inner}` : inner;
  });
  return parts.join('');
}
