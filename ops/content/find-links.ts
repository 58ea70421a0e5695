// The links of a message, for tests and agents that follow one.
import { markupOf } from './html-markup.ts';
import { decodeEntities } from './html-text.ts';

const linkAddress = /^\s*(https?:\/\/[^\s<>"]+)\s*$/i;
const inText = /\bhttps?:\/\/[^\s<>"'`\u00ab\u00bb\u2018-\u201f]+/gi;

/**
 * All http and https addresses: those that the HTML links to, in order, then those that only the text has. Each once, as written;
 * character references are resolved, and what ends a sentence behind an address is not part of it.
 */
export function findLinks({
  text,
  html,
}: {
  readonly text: string | null;
  readonly html: string | null;
}): readonly string[] {
  return [...new Set([...htmlLinks(html ?? ''), ...textLinks(text ?? '')])];
}

function* htmlLinks(html: string): Generator<string> {
  for (const { name, attributes } of markupOf(html)) {
    if (name !== 'a' && name !== 'area') continue;
    const href = attributes?.find((attribute) => attribute.name === 'href')?.value ?? '';
    const link = linkAddress.exec(decodeEntities(href))?.[1];
    if (link !== undefined) yield link;
  }
}

function* textLinks(text: string): Generator<string> {
  for (const [found] of text.matchAll(inText)) yield withoutSentenceEnd(found);
}

/** Without full stops and the like at its end, and a bracket that was opened before it. */
function withoutSentenceEnd(found: string): string {
  let link = found;
  for (;;) {
    const last = link.at(-1) ?? '';
    const opening = { ')': '(', ']': '[', '}': '{' }[last];
    const isSurplus = opening !== undefined && link.split(last).length > link.split(opening).length;
    if (!isSurplus && !/[.,;:!?*_]/.test(last)) return link;
    link = link.slice(0, -1);
  }
}
