// Reads the tags of HTML as browsers find them (HTML §13.2.5). Takes time by the length alone, whatever is in it.

/** Elements whose content is text until their end tag. */
const textual = new Map(
  ['script', 'style', 'title', 'textarea', 'xmp', 'iframe', 'noembed', 'noframes'].map((name) => {
    return [name, new RegExp(`</${name}(?=[\\t\\n\\f\\r />])`, 'gi')];
  }),
);

export type Attribute = { readonly name: string; readonly value: string; readonly source: string };

/**
 * A start tag, or other markup (`attributes` null): an end tag with its name, a comment without. `end`: behind its `>`; `textAt`:
 * where text may begin again, which is later if the content of the element is not shown (style, script).
 */
export type Markup = {
  readonly name: string;
  readonly attributes: readonly Attribute[] | null;
  readonly start: number;
  readonly end: number;
  readonly textAt: number;
};

type Tag = { readonly attributes: readonly Attribute[]; readonly end: number };

/** All markup in order. What follows a tag without an end is left out, as browsers do. */
export function* markupOf(html: string): Generator<Markup> {
  for (let at = html.indexOf('<'); at >= 0; ) {
    const name = matchAt(/[a-z][^\t\n\f\r />]*/iy, html, at + 1).toLowerCase();
    if (name === '') {
      const end = endOfOther(html, at);
      const ended = matchAt(/\/[a-z][^\t\n\f\r />]*/iy, html, at + 1)
        .slice(1)
        .toLowerCase();
      if (end > at + 1) yield { name: ended, attributes: null, start: at, end, textAt: end };
      at = nextTag(html, end);
      continue;
    }
    const tag = readTag(html, at + 1 + name.length);
    if (tag === null) return; // it has no end: browsers drop it
    const textAt = endOfContent(html, name, tag.end);
    yield { name, attributes: tag.attributes, start: at, end: tag.end, textAt };
    at = nextTag(html, textAt);
  }
}

/** From behind its name to behind its `>`; null if the text ends before. */
function readTag(html: string, from: number): Tag | null {
  const attributes: Attribute[] = [];
  for (let at = from; ; ) {
    at += matchAt(/[\t\n\f\r /]*/y, html, at).length;
    if (at >= html.length) return null;
    if (html[at] === '>') return { attributes, end: at + 1 };
    const name = matchAt(/[^\t\n\f\r />][^\t\n\f\r />=]*/y, html, at);
    const start = at;
    at += name.length;
    const equals = matchAt(/[\t\n\f\r ]*=[\t\n\f\r ]*/y, html, at);
    at += equals.length;
    const quote = equals === '' ? '' : matchAt(/["']/y, html, at);
    let value = '';
    if (quote !== '') {
      const close = html.indexOf(quote, at + 1);
      if (close < 0) return null;
      value = html.slice(at + 1, close);
      at = close + 1;
    } else if (equals !== '') {
      value = matchAt(/[^\t\n\f\r >]*/y, html, at);
      at += value.length;
    }
    attributes.push({ name: name.toLowerCase(), value, source: html.slice(start, at) });
  }
}

/** Behind a comment, an end tag or a stray `<`; the end of the text if it is not closed. */
function endOfOther(html: string, at: number): number {
  if (html.startsWith('<!--', at)) return endOf(/--!?>/g, html, at + 2);
  if (html.startsWith('</', at) && matchAt(/[a-z]/iy, html, at + 2) !== '') {
    return readTag(html, at + 2)?.end ?? html.length;
  }
  return /[!?/]/.test(html[at + 1] ?? '') ? endOf(/>/g, html, at + 1) : at + 1;
}

/** Where the next tag may begin behind a start tag: for a textual element its end tag. */
function endOfContent(html: string, name: string, from: number): number {
  if (name === 'plaintext') return html.length;
  const endTag = textual.get(name);
  if (endTag === undefined) return from;
  endTag.lastIndex = from;
  return endTag.exec(html)?.index ?? html.length;
}

function nextTag(html: string, from: number): number {
  return from >= html.length ? -1 : html.indexOf('<', from);
}

function endOf(pattern: RegExp, html: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(html) ? pattern.lastIndex : html.length;
}

function matchAt(pattern: RegExp, html: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(html)?.[0] ?? '';
}
