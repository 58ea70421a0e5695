// The links of a message, for tests and agents that follow one.
import { markupOf } from './html-markup.ts';
import { decodeEntities, htmlText } from './html-text.ts';

const linkAddress = /^\s*(https?:\/\/[^\s<>"]+)\s*$/i;
const brackets: readonly (readonly [opening: string, closing: string])[] = [
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
];
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

type OpenLink = { readonly address: string; readonly from: number };

/** A link ends at its end tag, at the next link, or with the text. */
function* htmlLinks(html: string): Generator<FoundLink> {
  let open: OpenLink | null = null;
  let alt = ''; // of the first picture that has one, since the link began
  for (const { name, attributes, start, textAt } of markupOf(html)) {
    const attribute = (wanted: string): string =>
      decodeEntities(attributes?.find((one) => one.name === wanted)?.value ?? '');
    if (name === 'img' && alt === '') alt = attribute('alt');
    if (name !== 'a' && name !== 'area') continue;
    if (open !== null && name === 'a') {
      yield closed({ ...open, alt }, html, start);
      open = null;
    }
    const address = attributes === null ? undefined : linkAddress.exec(attribute('href'))?.[1];
    if (address === undefined) continue;
    if (name === 'area') yield { address, label: attribute('alt') };
    else [open, alt] = [{ address, from: textAt }, ''];
  }
  if (open !== null) yield closed({ ...open, alt }, html, html.length);
}

function closed({ address, from, alt }: OpenLink & { readonly alt: string }, html: string, end: number): FoundLink {
  const label = htmlText(html.slice(from, Math.min(end, from + maxLabel)));
  return { address, label: (label.trim() || alt).replaceAll(/\s+/g, ' ').trim() };
}

function* textLinks(text: string): Generator<string> {
  for (const [found] of text.matchAll(inText)) yield withoutSentenceEnd(found);
}

/** Without full stops and the like at its end, and closing brackets that were opened before it. Takes time by the length alone. */
function withoutSentenceEnd(found: string): string {
  const surplus = new Map(
    brackets.map(([opening, closing]) => [closing, count(found, closing) - count(found, opening)]),
  );
  let end = found.length;
  for (; end > 0; end -= 1) {
    const last = found.charAt(end - 1);
    const more = surplus.get(last) ?? 0;
    if (more > 0) surplus.set(last, more - 1);
    else if (!/[.,;:!?*_]/.test(last)) break;
  }
  return found.slice(0, end);
}

function count(text: string, char: string): number {
  return text.split(char).length - 1;
}
