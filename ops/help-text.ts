// How a help text is laid out for a terminal of 80 columns.

const columns = 80;

/** A term with its meaning beside it, or below it if the term is longer than `column`. */
export function helpEntry(term: string, meaning: string, column: number): string {
  const margin = ' '.repeat(column + 4);
  const [first = '', ...more] = wrapWords(meaning, columns - margin.length).map((line) => `${margin}${line}`);
  const head = term.length > column ? [`  ${term}`, first] : [`  ${term.padEnd(column)}${first.slice(column + 2)}`];
  return [...head, ...more].join('\n');
}

/** Lines of at most so many columns (80), broken at blanks; a longer word stands alone. */
export function wrapWords(text: string, most = columns): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= most) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
