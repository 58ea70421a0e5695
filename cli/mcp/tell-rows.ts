// Lists for an agent: a line of JSON for each row, and how to get the next page.
import type { Fenced } from './fence.ts';
import { oneLine } from './readable.ts';

/** `tool`: whose answer it is. `next`: the cursor as it is shown; it holds a key, in which a sender may have words, so it stands with the mail. */
export function tellRows({
  tool,
  name,
  rows,
  next,
}: {
  readonly tool: string;
  readonly name: string;
  readonly rows: readonly object[];
  readonly next: string | null;
}): Fenced {
  if (rows.length === 0 && next === null) return { head: [`There are no such ${name}.`], mail: [] };
  return {
    head: [`Here are ${rows.length} ${name}, newest first.`],
    mail: [
      ...(rows.length === 0 ? [] : [{ name, text: rowsText(rows) }]),
      ...(next === null ? [] : [{ name: 'next page', text: next }]),
    ],
    notes:
      next === null ? [] : [`There are more: ${tool} with the same parameters, and as "after" what "next page" has.`],
  };
}

/** A cursor as an agent gets it. */
export function shownCursor(next: string | null): string | null {
  return next === null ? null : oneLine(next, 2_000);
}

export function rowsText(rows: readonly object[]): string {
  return rows.map((row) => JSON.stringify(row)).join('\n');
}

/** The first of them, and how many more there are. */
export function fewOf(texts: readonly string[], most = 3): readonly string[] {
  const few = texts.slice(0, most).map((text) => oneLine(text, 80));
  return texts.length > most ? [...few, `and ${texts.length - most} more`] : few;
}
