// The links of a message, for tests and agents that follow one.
import { markupOf } from './html-markup.ts';
import { decodeEntities, htmlText } from './html-text.ts';

const linkAddress = /^\s*(https?:\/\/[^\s<>"]+)\s*$/i;
const inText = /\bhttps?:\/\/[^\s<>"'`\u00ab\u00bb\u2018-\u201f]+/gi;

/** `label`: what a reader sees of it in the HTML, on one line; empty for a link of the text, and for one without text or picture. */
export type FoundLink = { readonly address: string; readonly label: string };

type Bodies = { readonly text: string | null; readonly html: string | null };

/** Of a longer one only the beginning is looked at. */
const maxLabel = 2_000;

/**
 * All http and https addresses: those that the HTML links to, in order, then those that only the text has. Each once, as written;
 * character references are resolved, and what ends a sentence behind an address is not part of it.
 */
export function findLinks(bodies: Bodies): readonly string[] {
  return labelledLinks(bodies).map(({ address }) => address);
}

/** The same, each with its first label. */
export function labelledLinks({ text, html }: Bodies): readonly FoundLink[] {
  const found = new Map<string, string>();
  for (const { address, label } of htmlLinks(html ?? '')) {
    if (!found.get(address)) found.set(address, label);
  }
  for (const address of textLinks(text ?? '')) if (!found.has(address)) found.set(address, '');
  return [...found].map(([address, label]) => ({ address, label }));
}

type OpenLink = { readonly address: string; readonly from: number; readonly alt: string };

/** A link ends at its end tag, at the next link, or with the text. */
function* htmlLinks(html: string): Generator<FoundLink> {
  let open: OpenLink | null = null;
  for (const { name, attributes, start, textAt } of markupOf(html)) {
    const attribute = (wanted: string): string =>
      decodeEntities(attributes?.find((one) => one.name === wanted)?.value ?? '');
    if (name === 'img' && open?.alt === '') open = { ...open, alt: attribute('alt') };
    if (name !== 'a' && name !== 'area') continue;
    if (open !== null && name === 'a') {
      yield closed(open, html, start);
      open = null;
    }
    const address = attributes === null ? undefined : linkAddress.exec(attribute('href'))?.[1];
    if (address === undefined) continue;
    if (name === 'area') yield { address, label: attribute('alt') };
    else open = { address, from: textAt, alt: '' };
  }
  if (open !== null) yield closed(open, html, html.length);
}

function closed({ address, from, alt }: OpenLink, html: string, end: number): FoundLink {
  const label = htmlText(html.slice(from, Math.min(end, from + maxLabel)));
  return { address, label: (label.trim() || alt).replaceAll(/\s+/g, ' ').trim() };
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
