// The text of HTML as a reader sees it, roughly: for what looks for words in it, not for showing.
import { markupOf } from './html-markup.ts';

const named = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
]);
/** Elements within a line. All others begin a new one. */
const inline = new Set([
  'a',
  'abbr',
  'b',
  'bdi',
  'bdo',
  'code',
  'em',
  'font',
  'i',
  'img',
  'mark',
  's',
  'small',
  'span',
  'strong',
  'sub',
  'sup',
  'tt',
  'u',
  'wbr',
]);

/** Lines of text; style and script are left out. Takes time by the length alone. */
export function htmlText(html: string): string {
  const pieces: string[] = [];
  let from = 0;
  for (const { name, start, textAt } of markupOf(html)) {
    pieces.push(html.slice(from, start).replaceAll(/\s+/g, ' '), name === '' || inline.has(name) ? '' : '\n');
    from = textAt;
  }
  pieces.push(html.slice(from).replaceAll(/\s+/g, ' '));
  return decodeEntities(pieces.join(''));
}

/** Character references by number, and the few names that links and codes have. */
export function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return named.get(String(name).toLowerCase()) ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
