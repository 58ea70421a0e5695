// The domains that a text may show somebody, where no two programs read it alike.
import { domainToASCII } from 'node:url';
import { decodeWords } from '#mail/header/decode-text.ts';
import { isProblem } from '#mail/problem.ts';
import { type Domain, parseDomain } from './address.ts';

const maxDomains = 1_000;
const maxNameChars = 1_000;

/**
 * The domains behind any @ of a text, as IDNA reads them (UTS 46): what it drops or maps is no disguise.
 */
export function domainsMentioned(text: string): readonly Domain[] {
  const plain = [text, decodeWords(text), withoutInnerBlanks(text)]
    .join(' ')
    .normalize('NFKC')
    .replace(/[\p{Cf}\p{Cc}]/gu, '');
  const tight = plain.replace(/(?<!\s)\s*([.@\u3002])\s*/gu, '$1');
  const found = new Set([...tight.matchAll(/@\[?([\p{L}\p{M}\p{N}.\u3002_-]+)/gu)].map(([, name = '']) => name));
  const domains = [...found].slice(0, maxDomains).map((name) => parseDomain(domainToASCII(trimmed(name))));
  return [...new Set(domains.flatMap((domain) => (isProblem(domain) ? [] : [domain])))];
}

/** Python's email package drops the blanks within a domain. Before a word with an @ they part two addresses. */
function withoutInnerBlanks(text: string): string {
  return text.replace(/\s+(?![^\s<>(),;:]{0,200}@)/g, '');
}

/** Addresses stand in quotes and at the end of sentences, too. */
function trimmed(name: string): string {
  return name.slice(0, maxNameChars).replace(/^[.']+|[.']+$/g, '');
}
