// Which features of HTML and CSS a message uses, by the names that caniemail.com has for them. It goes by names alone.
import { type Attribute, markupOf } from './html-markup.ts';
import { decodeEntities } from './html-text.ts';

const lists = new Set(['ul', 'ol', 'dl']);
const semantic = new Set(
  'article aside details figcaption figure footer header main mark nav section summary time'.split(' '),
);
const attributes = new Map(
  'align background cellpadding cellspacing dir height hidden lang popover required role target valign width'
    .split(' ')
    .map((name) => [name, `html-${name}`]),
)
  .set('loading', 'html-loading-attribute')
  .set('srcset', 'html-srcset');

/** Slugs, some of which caniemail.com may not have. Takes time by the length alone. */
export function usedFeatures(html: string): ReadonlySet<string> {
  const used = new Set<string>();
  for (const { name: tag, attributes: its, end, textAt } of markupOf(html)) {
    if (its === null) continue; // an end tag or a comment
    used.add(tagFeature(tag, its));
    for (const { name, value: written } of its) {
      const value = decodeEntities(written);
      used.add(name.startsWith('aria-') ? `html-${name}` : (attributes.get(name) ?? ''));
      if (name === 'style') for (const slug of cssFeatures(`a{${value}}`, true)) used.add(slug);
      if (name === 'href' && value.startsWith('#') && value.length > 1) used.add('html-anchor-links');
      if (name === 'href' && /^mailto:/i.test(value)) used.add('html-mailto-links');
      if (name === 'src' && tag === 'img') used.add(pictureFeature(value));
    }
    if (tag === 'style') for (const slug of cssFeatures(html.slice(end, textAt), false)) used.add(slug);
  }
  used.delete('');
  return used;
}

function tagFeature(tag: string, its: readonly Attribute[]): string {
  if (/^h[1-6]$/.test(tag)) return 'html-h1-h6';
  if (lists.has(tag)) return 'html-lists';
  if (semantic.has(tag)) return 'html-semantics';
  if (tag === 'map') return 'html-image-maps';
  if (tag === 'input' || tag === 'button') {
    const type = its.find(({ name }) => name === 'type')?.value.toLowerCase();
    return `html-${tag}-${type ?? (tag === 'input' ? 'text' : 'submit')}`;
  }
  return `html-${tag}`;
}

function pictureFeature(source: string): string {
  if (/^data:.*;base64,/i.test(source)) return 'image-base64';
  const ending = /\.(\w{3,4})(?:[?#]|$)/.exec(source)?.[1]?.toLowerCase() ?? '';
  return `image-${ending === 'jpeg' ? 'jpg' : ending}`;
}

/** Properties that caniemail.com knows under another name. */
const properties = new Map([
  ['columns', 'css-column-layout-properties'],
  ['column-width', 'css-column-layout-properties'],
  ['column-gap', 'css-gap'],
  ['row-gap', 'css-gap'],
  ['top', 'css-left-right-top-bottom'],
  ['left', 'css-left-right-top-bottom'],
  ['right', 'css-left-right-top-bottom'],
  ['bottom', 'css-left-right-top-bottom'],
  ['grid-template-columns', 'css-grid-template'],
  ['grid-template-rows', 'css-grid-template'],
  ['grid-template-areas', 'css-grid-template'],
  ['margin-inline', 'css-margin-inline-block'],
  ['margin-block', 'css-margin-inline-block'],
  ['padding-inline', 'css-padding-inline-block'],
  ['padding-block', 'css-padding-inline-block'],
  ['animation-name', 'css-animation'],
]);

/** Sides of a box and the like: what holds for the whole holds for them. */
const longhand = /^(margin|padding|border|outline|background|transition|animation)-.*$/;

/** By words in the style, whatever they are part of. */
const inStyle: readonly (readonly [RegExp, string])[] = [
  [/@media\b/i, 'css-at-media'],
  [/@media[^{]*prefers-color-scheme/i, 'css-at-media-prefers-color-scheme'],
  [/@media[^{]*prefers-reduced-motion/i, 'css-at-media-prefers-reduced-motion'],
  [/@media[^{]*orientation/i, 'css-at-media-orientation'],
  [/@media[^{]*hover/i, 'css-at-media-hover'],
  [/@font-face\b/i, 'css-at-font-face'],
  [/@import\b/i, 'css-at-import'],
  [/@keyframes\b/i, 'css-at-keyframes'],
  [/@supports\b/i, 'css-at-supports'],
  [/!important\b/i, 'css-important'],
  [/\bvar\(\s*--/i, 'css-variables'],
  [/\bcalc\(/i, 'css-unit-calc'],
  [/\b(?:ok)?l(?:ch|ab)\(/i, 'css-modern-color'],
  [/\b(?:fit|min|max)-content\b/i, 'css-intrinsic-size'],
  [/\bsystem-ui\b/i, 'css-sytem-ui'],
];
const functions = ['clamp', 'light-dark', 'max', 'min'];
const gradients = ['conic-gradient', 'linear-gradient', 'radial-gradient', 'rgb', 'rgba'];

function* cssFeatures(style: string, isInline: boolean): Generator<string> {
  const css = style.slice(0, 500_000).replace(/\/\*[\s\S]*?\*\//g, ' ');
  for (const [words, slug] of inStyle) if (words.test(css)) yield slug;
  for (const name of functions) if (css.includes(`${name}(`)) yield `css-function-${name}`;
  for (const name of gradients) if (css.includes(`${name}(`)) yield `css-${name}`;
  for (const [, unit = ''] of css.matchAll(/\d(ch|cm|em|ex|in|mm|pc|pt|px|rem|vh|vmax|vmin|vw)\b/g))
    yield `css-unit-${unit}`;
  for (const [, name = '', value = ''] of css.matchAll(/[{;]\s*([a-z-]+)\s*:\s*([^;{}]*)/gi)) {
    const property = name.toLowerCase();
    yield properties.get(property) ?? `css-${property}`;
    const whole = longhand.exec(property)?.[1];
    if (whole !== undefined) yield `css-${whole}`;
    if (property === 'display') yield `css-display-${value.trim().toLowerCase()}`;
  }
  if (isInline) return;
  for (const [, colons, name = ''] of css.matchAll(/(::?)([a-z-]+)[^{};]*\{/gi)) {
    yield colons === '::' || /^(?:before|after)$/i.test(name)
      ? `css-pseudo-element-${name}`
      : `css-pseudo-class-${name}`;
  }
  if (/\[[\w-]+[~|^$*]?=?[^\]]*\][^{};]*\{/.test(css)) yield 'css-selector-attribute';
}
