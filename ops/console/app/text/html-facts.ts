// What a message's HTML links to and would load. The browser's own parser reads it into a document that is never shown, so
// that nothing in it runs or loads.

/** `host`: empty for mail addresses. `isMisleading`: its text names another host than the one it leads to. */
export type Link = {
  readonly address: string;
  readonly text: string;
  readonly host: string;
  readonly isMisleading: boolean;
};

/** `remote`: how many pictures, styles, fonts and media are somewhere else. */
export type HtmlFacts = { readonly links: readonly Link[]; readonly remote: number };

const permitted = new Set(['http:', 'https:', 'mailto:']);
const maxLinks = 1_000;

export function htmlFacts(html: string): HtmlFacts {
  const page = new DOMParser().parseFromString(html, 'text/html');
  const anchors = [...page.querySelectorAll('a[href], area[href]')].slice(0, maxLinks);
  const links = anchors.flatMap((anchor) => {
    const link = readLink(anchor.getAttribute('href') ?? '', anchor.textContent ?? '');
    return link === null ? [] : [link];
  });
  return { links, remote: countRemote(page) };
}

/** Addresses in plain text. */
export function textLinks(text: string): readonly Link[] {
  const found = text.match(/\bhttps?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?]/g) ?? [];
  return [...new Set(found)].slice(0, maxLinks).flatMap((address) => readLink(address, address) ?? []);
}

/** Null where a click leads nowhere: within the message, or by a scheme that is not opened. */
export function readLink(href: string, text: string): Link | null {
  const url = URL.parse(href.trim());
  if (url === null || !permitted.has(url.protocol)) return null;
  const words = text.replace(/\s+/g, ' ').trim();
  const named = /^(?:https?:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?:[/:?#]|$)/iu.exec(words)?.[1];
  const isMisleading = url.host !== '' && named !== undefined && !isSameSite(named.toLowerCase(), url.hostname);
  return { address: url.href, text: words, host: url.host, isMisleading };
}

/** One is the other, or a part of it. */
function isSameSite(one: string, other: string): boolean {
  return `.${one}`.endsWith(`.${other}`) || `.${other}`.endsWith(`.${one}`);
}

function countRemote(page: Document): number {
  const attributes = [...page.querySelectorAll('[src], [srcset], [background], [poster], image[href], link[href]')];
  const isRemote = (text: string | null): boolean => /(?:^|[\s,])(?:https?:)?\/\/[^\s]/i.test(text ?? '');
  const inTags = attributes.filter((element) =>
    ['src', 'srcset', 'background', 'poster', 'href'].some((name) => isRemote(element.getAttribute(name))),
  ).length;
  const styles = [
    ...[...page.querySelectorAll('style')].map((element) => element.textContent ?? ''),
    ...[...page.querySelectorAll('[style]')].map((element) => element.getAttribute('style') ?? ''),
  ];
  const inStyles = styles.reduce(
    (sum, style) => sum + (style.match(/(?:url\(\s*|@import\s+)["']?\s*(?:https?:)?\/\//gi)?.length ?? 0),
    0,
  );
  return inTags + inStyles;
}
