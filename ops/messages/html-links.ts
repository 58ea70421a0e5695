// Rewrites the links of a message's HTML for the frame it is shown in: they open in a new tab, which learns nothing of the
// page they were on. Tags are found as browsers find them (HTML §13.2.5); a link that only a browser sees is dead, since the
// frame's sandbox and policy hold anyway.

/** Links within the message, and schemes that a click may open. All others lose their address. */
const within = /^[\t\n\f\r ]*#/;
const permitted = /^[\t\n\f\r ]*(?:https?:\/\/|mailto:)/i;
const linkAddresses = new Set(['href', 'xlink:href']);
/** Attributes that are replaced, or would report that the link was followed. */
const dropped = new Set(['target', 'rel', 'ping', 'download', 'attributionsrc', 'referrerpolicy']);
/** Tags that only connect to other hosts, or change where links lead. */
const dangling = new Set(['base', 'link']);
/** Elements whose content is text until their end tag. */
const textual = new Map(
  ['script', 'style', 'title', 'textarea', 'xmp', 'iframe', 'noembed', 'noframes'].map((name) => {
    return [name, new RegExp(`</${name}(?=[\\t\\n\\f\\r />])`, 'gi')];
  }),
);

type Attribute = { readonly name: string; readonly value: string; readonly source: string };
type Tag = { readonly attributes: readonly Attribute[]; readonly end: number };

/** The HTML with its links opening in new tabs, and without `base` and `link` elements. Takes time by the length alone. */
export function linksInNewTabs(html: string): string {
  const pieces: string[] = [];
  let copied = 0;
  for (let at = html.indexOf('<'); at >= 0; ) {
    const name = matchAt(/[a-z][^\t\n\f\r />]*/iy, html, at + 1).toLowerCase();
    if (name === '') {
      at = nextTag(html, endOfOther(html, at));
      continue;
    }
    const tag = readTag(html, at + 1 + name.length);
    if (tag === null) break; // it has no end: browsers drop it
    if (name === 'a' || name === 'area' || dangling.has(name)) {
      pieces.push(html.slice(copied, at), dangling.has(name) ? '' : `<${name}${linkAttributes(tag)}>`);
      copied = tag.end;
    }
    at = nextTag(html, endOfContent(html, name, tag.end));
  }
  return copied === 0 ? html : pieces.join('') + html.slice(copied);
}

function linkAttributes({ attributes }: Tag): string {
  const address = attributes.find(({ name }) => linkAddresses.has(name))?.value ?? '';
  const isWithin = within.test(address);
  const isKept = ({ name, value }: Attribute): boolean => {
    if (linkAddresses.has(name)) return within.test(value) || permitted.test(value);
    return !dropped.has(name);
  };
  const kept = attributes.filter(isKept).map(({ source }) => ` ${source}`);
  return `${kept.join('')}${isWithin ? '' : ' target="_blank"'} rel="noopener noreferrer"`;
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
