// Texts of senders as an agent may read them: nothing in them is hidden or turned around, and none is endless.
import { visible } from '#ops/content/visible-text.ts';

/**
 * Characters that show nothing, in which words for a program can be hidden (Unicode tags, variation selectors). Marks of writing direction
 * are not among them: those are shown by their code.
 */
const invisible = /(?![\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])\p{Default_Ignorable_Code_Point}/gu;

/** `removed`: how many characters that show nothing were left out. */
export type Readable = { readonly text: string; readonly removed: number };

/** The text with LF as the end of lines; control and direction characters are shown by their code (`[U+202E]`). */
export function readable(text: string): Readable {
  const whole = text.toWellFormed().replaceAll(/\r\n?/g, '\n');
  let removed = 0;
  const shown = whole.replaceAll(invisible, () => {
    removed += 1;
    return '';
  });
  return { text: visible(shown), removed };
}

/** The same on one line, at most so many characters; what is cut ends with `…`. Of a very long text only the beginning is looked at. */
export function oneLine(text: string, most = 300): string {
  const line = readable(text.slice(0, 20 * most))
    .text.replaceAll(/\s+/g, ' ')
    .trim();
  return line.length <= most ? line : `${whole(line.slice(0, most - 1))}…`;
}

/** Lines as far as they have room in so many characters. `left`: how many lines had none. */
export function linesWithin(lines: readonly string[], most: number): { readonly text: string; readonly left: number } {
  let [room, count] = [most, 0];
  for (const line of lines) {
    room -= line.length + 1;
    if (room < 0) break;
    count += 1;
  }
  return { text: lines.slice(0, count).join('\n'), left: lines.length - count };
}

/** `next`: the offset of what follows; null if nothing does. `removed`: as in {@link Readable}, up to here. */
export type Page = { readonly text: string; readonly next: number | null; readonly removed: number };

/**
 * At most `limit` characters from `offset` on, both counted in what is readable of a text that comes in pieces. No more of it is read
 * than that takes.
 */
export async function readPage(
  pieces: AsyncIterable<string> | Iterable<string>,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<Page> {
  let [text, position, removed] = ['', 0, 0];
  for await (const piece of unsplit(pieces)) {
    const shown = readable(piece);
    removed += shown.removed;
    text += shown.text.slice(Math.max(0, offset - position), Math.max(0, offset - position + limit + 2));
    position += shown.text.length;
    if (text.length > limit + 1) break;
  }
  if (text.length <= limit) return { text: text.toWellFormed(), next: null, removed };
  const page = whole(text.slice(0, limit));
  return { text: page.toWellFormed(), next: offset + page.length, removed };
}

/** The pieces cut so that none ends between the two halves of a character or of a line's end. */
async function* unsplit(pieces: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  let held = '';
  for await (const piece of pieces) {
    const all = held + piece;
    held = /[\r\ud800-\udbff]$/.exec(all)?.[0] ?? '';
    yield held === '' ? all : all.slice(0, -1);
  }
  if (held !== '') yield held;
}

/** Without half a character at its end. */
function whole(text: string): string {
  return text.replace(/[\ud800-\udbff]$/, '');
}
