// Rewrites the links of a message's HTML for the frame it is shown in: they lead to a page of ours in a new tab, which says
// where they lead before they are followed, and learns nothing of the page they were on. Tags are found as browsers find them
// (HTML §13.2.5); a link that only a browser sees is dead, since the frame's sandbox and policy hold anyway.
import { type Attribute, markupOf } from './html-markup.ts';
import { decodeEntities } from './html-text.ts';

/** Links within the message, and schemes that a click may open. All others lose their address. */
const within = /^[\t\n\f\r ]*#/;
const permitted = /^[\t\n\f\r ]*(?:https?:\/\/|mailto:)/i;
const linkAddresses = new Set(['href', 'xlink:href']);
/** Attributes that are replaced, or would report that the link was followed. */
const dropped = new Set(['target', 'rel', 'ping', 'download', 'attributionsrc', 'referrerpolicy']);
/** Tags that only connect to other hosts, or change where links lead. */
const dangling = new Set(['base', 'link']);
/**
 * Elements that would show another page. The policy of the frame forbids it, but a browser may have connected to the host before
 * it looks at the policy (Chromium does): what they lead to is dropped.
 */
const framing = new Set(['iframe', 'frame', 'object', 'embed', 'applet', 'portal', 'fencedframe']);
const framed = new Set(['src', 'srcdoc', 'data', 'code', 'codebase', 'archive', 'classid']);

/** `ask`: to the page that says where a link leads, in a new tab. `new-tab`: there at once. `as-is`: as the sender wrote them. */
export type LinkWay = 'ask' | 'new-tab' | 'as-is';

/** The HTML with its links, without `base` and `link` elements and pages in it. Takes time by the length alone. */
export function rewriteLinks(html: string, way: LinkWay): string {
  const pieces: string[] = [];
  let copied = 0;
  for (const { name, attributes, start, end } of markupOf(html)) {
    const rewrite = rewritten(name, way);
    if (attributes === null || rewrite === null) continue;
    pieces.push(html.slice(copied, start), rewrite(attributes));
    copied = end;
  }
  return copied === 0 ? html : pieces.join('') + html.slice(copied);
}

/** What a tag of this name becomes; null if it stays as it is. */
function rewritten(name: string, way: LinkWay): ((attributes: readonly Attribute[]) => string) | null {
  if (dangling.has(name)) return () => '';
  if (framing.has(name)) return (attributes) => `<${name}${frameAttributes(attributes)}>`;
  if (way === 'as-is' || (name !== 'a' && name !== 'area')) return null;
  return (attributes) => `<${name}${linkAttributes(attributes, way)}>`;
}

function frameAttributes(attributes: readonly Attribute[]): string {
  return attributes
    .filter(({ name }) => !framed.has(name))
    .map(({ source }) => ` ${source}`)
    .join('');
}

function linkAttributes(attributes: readonly Attribute[], way: LinkWay): string {
  const address = attributes.find(({ name }) => linkAddresses.has(name))?.value ?? '';
  const isWithin = within.test(address);
  const isKept = ({ name, value }: Attribute): boolean => {
    if (linkAddresses.has(name)) return within.test(value) || permitted.test(value);
    return !dropped.has(name);
  };
  const kept = attributes.filter(isKept).map(({ name, value, source }) => {
    return way === 'ask' && linkAddresses.has(name) && !within.test(value)
      ? ` ${name}="${asking(value)}"`
      : ` ${source}`;
  });
  return `${kept.join('')}${isWithin ? '' : ' target="_blank"'} rel="noopener noreferrer"`;
}

/** The page that says where the link leads (ops/console/app/shell/leave.tsx). */
function asking(address: string): string {
  return `/#/leave?to=${encodeURIComponent(decodeEntities(address).trim().toWellFormed())}`;
}
