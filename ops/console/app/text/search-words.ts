// The fields that a search understands, and what to suggest while one is typed.

/** What can stand behind each field: fixed values, or what kind of thing. */
export const searchFields = [
  { field: 'from:', about: 'sender, or part of one' },
  { field: 'to:', about: 'recipient, or part of one' },
  { field: 'address:', about: 'sender or recipient, or part of one' },
  { field: 'subject:', about: 'words of the subject' },
  { field: 'tag:', about: 'a tag' },
  { field: 'mailbox:', about: 'a mailbox here' },
  { field: 'is:', about: 'unread or read', values: ['unread', 'read'] },
  { field: 'has:', about: 'with attachments', values: ['attachment'] },
  { field: 'verdict:', about: 'what was found out', values: ['pass', 'fail', 'quarantine'] },
  { field: 'before:', about: 'a day, YYYY-MM-DD' },
  { field: 'after:', about: 'a day, YYYY-MM-DD' },
  { field: 'larger:', about: 'a size', values: ['100k', '1m', '10m'] },
  { field: 'smaller:', about: 'a size', values: ['10k', '100k', '1m'] },
  { field: 'header:', about: 'Name=value' },
  { field: 'id:', about: 'the id of a message' },
] as const;

export type Suggestion = { readonly text: string; readonly about: string };
export type Known = {
  readonly mailboxes: readonly string[];
  readonly tags: readonly string[];
  readonly senders: readonly string[];
};

const most = 8;

/** For the word that ends at the caret. None for a word that is complete. */
export function suggest(text: string, caret: number, known: Known): readonly Suggestion[] {
  const word = wordAt(text, caret);
  const [sign, bare] = word.startsWith('-') ? ['-', word.slice(1)] : ['', word];
  const colon = bare.indexOf(':');
  if (colon < 0) {
    return searchFields
      .filter(({ field }) => field.startsWith(bare.toLowerCase()))
      .map(({ field, about }) => ({ text: sign + field, about }));
  }
  const field = bare.slice(0, colon + 1).toLowerCase();
  const begun = bare
    .slice(colon + 1)
    .replaceAll('"', '')
    .toLowerCase();
  return valuesOf(field, known)
    .filter((value) => value.toLowerCase().includes(begun) && value.toLowerCase() !== begun)
    .slice(0, most)
    .map((value) => ({ text: `${sign}${field}${quoted(value)}`, about: '' }));
}

/** The text with the word at the caret replaced, and where the caret is then. A whole value is followed by a space. */
export function complete(
  text: string,
  caret: number,
  chosen: string,
): { readonly text: string; readonly caret: number } {
  const start = caret - wordAt(text, caret).length;
  const put = chosen.endsWith(':') ? chosen : `${chosen} `;
  const rest = text.slice(caret).replace(/^\s+/, '');
  return { text: text.slice(0, start) + put + rest, caret: start + put.length };
}

/** The search with a term in it, or without it if it was in there. */
export function toggled(query: string, term: string): string {
  const words = terms(query);
  const others = words.filter((word) => word !== term);
  return (others.length < words.length ? others : [...words, term]).join(' ');
}

/** The terms of a search: quoted phrases stay whole. */
export function terms(query: string): readonly string[] {
  return query.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/** The parameters that lists and deletes take for a search: one mailbox has a parameter of its own, which needs no search. */
export function searchParameters(query: string): URLSearchParams {
  const words = terms(query);
  const boxes = words.filter((word) => /^mailbox:./i.test(word));
  const [box] = boxes;
  const parameters = new URLSearchParams();
  if (box !== undefined && boxes.length === 1)
    parameters.set('mailbox', box.slice('mailbox:'.length).replaceAll('"', ''));
  const others = boxes.length === 1 ? words.filter((word) => word !== box) : words;
  if (others.length > 0) parameters.set('q', others.join(' '));
  return parameters;
}

/** The value of a field as a search takes it. */
export function quoted(value: string): string {
  return /[\s"]/.test(value) ? `"${value.replaceAll('"', '')}"` : value;
}

function wordAt(text: string, caret: number): string {
  return terms(text.slice(0, caret)).findLast((word) => text.slice(0, caret).endsWith(word)) ?? '';
}

function valuesOf(field: string, known: Known): readonly string[] {
  if (field === 'mailbox:' || field === 'to:') return known.mailboxes;
  if (field === 'tag:') return known.tags;
  if (field === 'from:') return known.senders;
  const found = searchFields.find((one) => one.field === field);
  return found !== undefined && 'values' in found ? found.values : [];
}
