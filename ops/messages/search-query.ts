// What may be written into a search of mail, and what it means: words, "phrases", fields like `from:ann`, and `-` before what must
// not be so. All that is written must fit. Pure.
import { type Problem, problem } from '#mail/problem.ts';

/** The texts of a message that a search looks into, in lower case; `any`: in all of them but `header`; `address`: in `from` and `to`. */
export type SearchedField = 'any' | 'address' | 'from' | 'to' | 'subject' | 'header';

/** `within`: of a header field whose begin is `text`, what its value has anywhere. */
type Wanted =
  | { readonly kind: 'text'; readonly field: SearchedField; readonly text: string; readonly within?: string }
  | { readonly kind: 'tag' | 'mailbox' | 'id'; readonly text: string }
  | { readonly kind: 'read' | 'tagged' | 'attachment' | 'quarantine' }
  | { readonly kind: 'dmarc'; readonly result: string }
  | { readonly kind: 'before' | 'larger'; readonly than: number };

/** One thing that is asked for, or (`not`) that must not be so. Texts are in lower case; times in milliseconds since 1970. */
export type SearchTerm = Wanted & { readonly not: boolean };

/** A search that was understood. No terms: all mail. */
export type Search = readonly SearchTerm[];

const maxTerms = 20;

/** What a field means without a `-` before it. */
type Meaning = Wanted & { readonly not?: boolean };
type Reader = { readonly expects: string; readonly read: (value: string) => Meaning | null };

const dmarcResults = ['pass', 'fail', 'none', 'temperror', 'permerror'];
const units: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_048_576, g: 1_073_741_824 };

const readers: Readonly<Record<string, Reader>> = {
  from: { expects: 'part of the name or address of a sender', read: (text) => textIn('from', text) },
  to: { expects: 'part of the name or address of a recipient', read: (text) => textIn('to', text) },
  address: {
    expects: 'part of the name or address of a sender or recipient',
    read: (text) => textIn('address', text),
  },
  subject: { expects: 'part of the subject', read: (text) => textIn('subject', text) },
  tag: { expects: 'a tag', read: (text) => ({ kind: 'tag', text }) },
  mailbox: { expects: 'part of the name of a mailbox', read: (text) => ({ kind: 'mailbox', text }) },
  id: { expects: 'a message id, or how it begins', read: (text) => ({ kind: 'id', text }) },
  has: { expects: 'attachment', read: (value) => (/^attachments?$/.test(value) ? { kind: 'attachment' } : null) },
  is: { expects: 'read, unread, tagged or quarantined', read: readState },
  verdict: { expects: [...dmarcResults, 'accept', 'quarantine'].join(', '), read: readVerdict },
  before: { expects: 'a day (2026-11-27) or a time (2026-11-27T08:00:00Z)', read: (value) => ofTime(value, false) },
  after: { expects: 'a day (2026-11-27, from its start on) or a time', read: (value) => ofTime(value, true) },
  larger: { expects: 'a size: bytes, or 100k, 5m', read: (value) => ofSize(value, false) },
  smaller: { expects: 'a size: bytes, or 100k, 5m', read: (value) => ofSize(value, true) },
  header: { expects: 'Name=value, Name~part or a Name alone', read: readHeader },
};

/** The names of the fields, in the order of the documentation. */
export const searchFields: readonly string[] = Object.keys(readers);

/** Reads a search; the problem says what is not understood and what could be meant, as a sentence for people. */
export function parseSearch(q: string): Search | Problem {
  const terms: SearchTerm[] = [];
  for (const { not, field, value } of wordsOf(q)) {
    const term = field === null ? textIn('any', value) : fieldTerm(field, value);
    if ('problem' in term) return term;
    terms.push({ ...term, not: not !== (term.not ?? false) });
  }
  return terms.length <= maxTerms ? terms : problem(`at most ${maxTerms} words and fields`);
}

type Word = { readonly not: boolean; readonly field: string | null; readonly value: string };

/** `-field:value`, `"a phrase"`, `field:"a phrase"`, or a word. A quote that is not closed goes to the end. */
function* wordsOf(q: string): Generator<Word> {
  const pattern = /(-?)(?:([A-Za-z]+):(?!\/\/))?(?:"([^"]*)(?:"|$)|(\S+)|(?=\s|$))/gy;
  let at = 0;
  while (at < q.length) {
    pattern.lastIndex = at;
    const match = /\s/.test(q.charAt(at)) ? null : pattern.exec(q);
    at = match === null || match[0] === '' ? at + 1 : pattern.lastIndex;
    if (match === null || match[0] === '') continue;
    const [, minus = '', field, phrase, word] = match;
    const value = folded(phrase ?? word ?? '');
    if (field === undefined && value === '') continue;
    yield { not: minus === '-', field: field?.toLowerCase() ?? null, value };
  }
}

function fieldTerm(field: string, value: string): Meaning | Problem {
  const reader = Object.hasOwn(readers, field) ? readers[field] : undefined;
  if (reader === undefined) {
    return problem(
      `no field "${field}": there are ${searchFields.join(', ')}; put the text in quotes to look for it as it is`,
    );
  }
  const term = value === '' ? null : reader.read(value);
  return term ?? problem(`${field}: expected ${reader.expects}`);
}

function textIn(field: SearchedField, text: string): Extract<Meaning, { kind: 'text' }> {
  return { kind: 'text', field, text };
}

function readState(value: string): Meaning | null {
  if (value === 'read' || value === 'unread') return { kind: 'read', not: value === 'unread' };
  if (value === 'tagged') return { kind: 'tagged' };
  return value === 'quarantined' ? { kind: 'quarantine' } : null;
}

function readVerdict(value: string): Meaning | null {
  if (value === 'quarantine' || value === 'accept') return { kind: 'quarantine', not: value === 'accept' };
  return dmarcResults.includes(value) ? { kind: 'dmarc', result: value } : null;
}

function ofTime(value: string, not: boolean): Meaning | null {
  const isTime = /^\d{4}-\d\d-\d\d(t\d\d:\d\d(:\d\d(\.\d+)?)?z)?$/.test(value);
  const than = isTime ? Date.parse(value.toUpperCase()) : Number.NaN;
  return Number.isNaN(than) ? null : { kind: 'before', than, not };
}

/** `smaller` is not larger, and not as large. */
function ofSize(value: string, isSmaller: boolean): Meaning | null {
  const [, digits = '', unit = ''] = /^(\d{1,12})([kmg]?)b?$/.exec(value) ?? [];
  if (digits === '') return null;
  const bytes = Number(digits) * (units[unit] ?? 1);
  return { kind: 'larger', than: isSmaller ? bytes - 1 : bytes, not: isSmaller };
}

function readHeader(value: string): Meaning | null {
  const [, name = '', sign, text = ''] = /^([!-9;<>-}]+)(?:([=~])(.*))?$/.exec(value) ?? [];
  if (name === '') return null;
  if (sign === '~') return { ...textIn('header', headerLine(name, '')), within: text };
  return textIn('header', headerLine(name, text));
}

/** How a header field, or the begin of one, stands in the text that is searched. */
export function headerLine(name: string, value: string): string {
  return `\n${name.toLowerCase()}: ${folded(value)}`;
}

/** As texts are searched: lower case, each run of white space one space. */
export function folded(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim();
}
