// How deep the elements of an HTML text are nested, judged by its tags: sanitizers and browsers fail on very deep nesting. Not an
// HTML parser; one pass in linear time, piece by piece.

// Elements that must be closed: those that need not be (p, li, td, br …) would look deep where they are only many.
const tag = /<(\/?)(?:div|span|table|blockquote|center|section|article|font|big|small|b|i|u|em|strong|a|ul|ol)\b/gi;
/** As long as the longest beginning of a tag that counts: `</blockquote`, and what follows it. */
const tagChars = 13;

/** Reads a text in pieces, and says whether more elements than a limit were open at once. */
export type DepthMeter = { readonly push: (piece: string) => void; readonly isDeeper: () => boolean };

/** Makes one for a text. */
export function createDepthMeter(limit: number): DepthMeter {
  let open = 0;
  let deepest = 0;
  let cut = '';
  return {
    push: (piece) => {
      if (deepest > limit) return;
      const text = cut + piece;
      // A tag that may go on in the next piece waits for it.
      const last = text.lastIndexOf('<');
      const end = last >= 0 && last > text.length - tagChars ? last : text.length;
      cut = text.slice(end);
      for (const [, slash] of text.slice(0, end).matchAll(tag)) {
        open = slash === '' ? open + 1 : Math.max(0, open - 1);
        deepest = Math.max(deepest, open);
      }
    },
    isDeeper: () => deepest > limit,
  };
}
