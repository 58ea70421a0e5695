// How a help text is laid out for a terminal: of 80 columns, or narrower.

const most = 80;
/** In fewer columns a term has a line of its own, and its meaning is below it. */
const leastBeside = 60;

/** `column`: how many a term may take. `columns`: how wide the terminal is; null: it is none. */
type Layout = { readonly column: number; readonly columns?: number | null };

/** A term with its meaning beside it, or below it if the term is longer than its column. */
export function helpEntry(term: string, meaning: string, { column, columns = null }: Layout): string {
  const width = Math.min(columns ?? most, most);
  const isBeside = width >= leastBeside;
  const margin = ' '.repeat(isBeside ? column + 4 : 6);
  const [first = '', ...more] = wrapWords(meaning, width - margin.length).map((line) => `${margin}${line}`);
  const head =
    isBeside && term.length <= column
      ? [`  ${term.padEnd(column)}${first.slice(column + 2)}`]
      : [...(isBeside ? [`  ${term}`] : wrapWords(term, width - 2).map((line) => `  ${line}`)), first];
  return [...head, ...more].join('\n');
}

/** Lines of at most so many columns (and 80), broken at blanks; a longer word stands alone. */
export function wrapWords(text: string, columns: number | null = null): readonly string[] {
  const width = Math.min(columns ?? most, most);
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
