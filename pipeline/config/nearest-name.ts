// What somebody may have meant who mistyped a name.

/** The nearest of `names` that is at most two letters away (of several one with the same first letter), as ` Did you mean "NAME"?`; empty if there is none. */
export function didYouMean(typed: string, names: readonly string[]): string {
  const near = names
    .map((name) => ({ name, away: distance(typed.toLowerCase(), name.toLowerCase()), begins: name[0] === typed[0] }))
    .sort((a, b) => a.away - b.away || Number(b.begins) - Number(a.begins))[0];
  return near !== undefined && near.away <= 2 ? ` Did you mean "${near.name}"?` : '';
}

/** How many letters to change, add or take out (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= Math.min(a.length, 40); i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
