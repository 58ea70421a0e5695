// The text of HTML as a reader sees it, roughly: for what looks for words in it, not for showing.
import { markupOf } from './html-markup.ts';

const named = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
  ...pairs('hellip … ndash – mdash — lsquo ‘ rsquo ’ sbquo ‚ ldquo “ rdquo ” bdquo „ laquo « raquo » middot · bull •'),
  ...pairs('copy © reg ® trade ™ euro € pound £ deg ° times × szlig ß auml ä ouml ö uuml ü aring å aelig æ oslash ø'),
  ...pairs('agrave à aacute á acirc â atilde ã egrave è eacute é ecirc ê euml ë igrave ì iacute í icirc î iuml ï'),
  ...pairs('ograve ò oacute ó ocirc ô otilde õ ugrave ù uacute ú ucirc û ccedil ç ntilde ñ'),
  ['zwnj', '\u200c'],
  ['zwj', '\u200d'],
  ['shy', '\u00ad'],
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

/** Character references by number, and the names that mail has. */
export function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,6}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return byName(String(name)) ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** A capital letter by a name that begins with one (`&Auml;`). */
function byName(name: string): string | undefined {
  const found = named.get(name.toLowerCase());
  return /^[A-Z][a-z]/.test(name) ? found?.toUpperCase() : found;
}

function pairs(words: string): readonly (readonly [string, string])[] {
  return [...words.matchAll(/(\S+) (\S+)/g)].map(([, name = '', character = '']) => [name, character]);
}
