// The domains that a text may show somebody, where no two programs read it alike.
import { domainToASCII } from 'node:url';
import { decodeWords } from '#mail/header/decode-text.ts';
import { isProblem } from '#mail/problem.ts';
import { type Domain, parseDomain } from './address.ts';

const maxDomains = 1_000;
const maxNameChars = 1_000;
const unseen = /\p{Cf}/gu;
/** Some programs drop them, to others they are blanks: TAB, CR and LF are among them. */
const control = /\p{Cc}/gu;

/**
 * The domains behind any @ of a text, as IDNA reads them (UTS 46): what it drops or maps is no disguise. Null stands for all that
 * is no domain.
 */
export function domainsMentioned(text: string): readonly (Domain | null)[] {
  const read = [text, decodeWords(text), decodeWords(text.replaceAll('?=', '?= ')), withoutInnerBlanks(text)];
  if (text.includes('(')) read.push(withoutComments(text));
  if (text.includes('\\')) read.push(text.replaceAll('\\', ''));
  const given = read.join(' ').normalize('NFKC').replace(unseen, '');
  const plain = `${given.replace(control, '')} ${given.replace(control, ' ')}`;
  const tight = plain.replace(/(?<!\s)\s*([.@\u3002])\s*/gu, '$1');
  const names = new Set([...tight.matchAll(/@\[?([^\s<>(),;:"\\@[\]]*)/g)].map(([, name = '']) => name));
  return [...new Set([...names].slice(0, maxDomains).flatMap(domainsOf))];
}

/** What is no domain may begin with one. */
function domainsOf(name: string): readonly (Domain | null)[] {
  const [start = ''] = /^[\p{L}\p{M}\p{N}.\u3002_-]*/u.exec(name) ?? [];
  return start === name ? [domainOf(name)] : [domainOf(name), domainOf(start)];
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
