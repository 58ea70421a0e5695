// Rewrites the links of a message's HTML for the frame it is shown in: they open in a new tab, which learns nothing of the
// page they were on. Tags are found as browsers find them (HTML §13.2.5); a link that only a browser sees is dead, since the
// frame's sandbox and policy hold anyway.
import { type Attribute, markupOf } from './html-markup.ts';

/** Links within the message, and schemes that a click may open. All others lose their address. */
const within = /^[\t\n\f\r ]*#/;
const permitted = /^[\t\n\f\r ]*(?:https?:\/\/|mailto:)/i;
const linkAddresses = new Set(['href', 'xlink:href']);
/** Attributes that are replaced, or would report that the link was followed. */
const dropped = new Set(['target', 'rel', 'ping', 'download', 'attributionsrc', 'referrerpolicy']);
/** Tags that only connect to other hosts, or change where links lead. */
const dangling = new Set(['base', 'link']);

/** The HTML with its links opening in new tabs, and without `base` and `link` elements. Takes time by the length alone. */
export function linksInNewTabs(html: string): string {
  const pieces: string[] = [];
  let copied = 0;
  for (const { name, attributes, start, end } of markupOf(html)) {
    if (attributes === null || !(name === 'a' || name === 'area' || dangling.has(name))) continue;
    pieces.push(html.slice(copied, start), dangling.has(name) ? '' : `<${name}${linkAttributes(attributes)}>`);
    copied = end;
  }
  return copied === 0 ? html : pieces.join('') + html.slice(copied);
}

function linkAttributes(attributes: readonly Attribute[]): string {
  const address = attributes.find(({ name }) => linkAddresses.has(name))?.value ?? '';
  const isWithin = within.test(address);
  const isKept = ({ name, value }: Attribute): boolean => {
    if (linkAddresses.has(name)) return within.test(value) || permitted.test(value);
    return !dropped.has(name);
  };
  const kept = attributes.filter(isKept).map(({ source }) => ` ${source}`);
  return `${kept.join('')}${isWithin ? '' : ' target="_blank"'} rel="noopener noreferrer"`;
}
