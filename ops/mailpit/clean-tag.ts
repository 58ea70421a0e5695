// Tags as Mailpit has them.

/** What no tag has there. Letters are those of any language. */
const notInTags = /[^\p{L}\p{M}\p{N} ._@-]/gu;

/** A tag without what none has there; empty if nothing is left. */
export function cleanTag(tag: string): string {
  return tag.replaceAll(notInTags, '').replaceAll(/ {2,}/g, ' ').trim();
}
