// How deep the elements of an HTML text are nested, as far as tags tell: so deep that sanitizers and browsers choke on it
// is worth a warning. Not an HTML parser; one pass in linear time.

// Elements that must be closed: those that need not be (p, li, td, br …) would look deep where they are only many.
const tag = /<(\/?)(?:div|span|table|blockquote|center|section|article|font|big|small|b|i|u|em|strong|a|ul|ol)\b/gi;
/** The shortest tag that counts: `<b>`. */
const tagChars = 3;

/** Says whether more than `depth` elements are open at once somewhere. */
export function isNestedDeeper(html: string, depth: number): boolean {
  if (html.length < depth * tagChars) return false;
  let open = 0;
  for (const [, slash] of html.matchAll(tag)) {
    open = slash === '' ? open + 1 : Math.max(0, open - 1);
    if (open > depth) return true;
  }
  return false;
}
