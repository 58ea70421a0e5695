// The texts of a message that a search looks into, and whether a message is one that is looked for. Where there is an index, it holds
// the same texts and answers the same.
import { isProblem } from '#mail/problem.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { inlineText, type MarkedSummary, shownAddress } from './message-summary.ts';
import { folded, headerLine, parseSearch, type Search, type SearchedField, type SearchTerm } from './search-query.ts';

/** In lower case, each run of white space one space; `other`: id, file names, the begin of the text. */
export type SearchTexts = Readonly<Record<Exclude<SearchedField, 'any' | 'address'> | 'other', string>>;

type Searched = Pick<
  InboxMessage,
  'id' | 'envelope' | 'from' | 'to' | 'cc' | 'subject' | 'attachments' | 'headers' | 'text' | 'html'
>;

const maxAddresses = 60;
const maxNames = 20;
const maxTextLength = 16_384;
const maxHeaders = 100;
const maxHeaderLength = 200;

export function searchTexts(message: Searched): SearchTexts {
  const { id, envelope, from, to, cc, subject, attachments, headers } = message;
  const names = attachments.slice(0, maxNames).map(({ filename }) => filename);
  return {
    from: lines([...from.slice(0, maxAddresses).map(shownAddress), envelope.reversePath]),
    to: lines([...[...to, ...cc].slice(0, maxAddresses).map(shownAddress), envelope.forwardPath]),
    subject: folded(subject ?? ''),
    other: lines([id, ...names, inlineText(message).slice(0, maxTextLength)]),
    header: headers
      .slice(0, maxHeaders)
      .map(({ name, value }) => headerLine(name, value.slice(0, maxHeaderLength)))
      .join(''),
  };
}

/** What a search means; one that is not understood, of a caller that did not look, finds nothing. */
export function searchOf(q: string | null): Search {
  const search = parseSearch(q ?? '');
  return isProblem(search) ? [{ kind: 'id', text: '-', not: false }] : search;
}

/** Whether all that is asked for is so. */
export function matchesSearch(search: Search, summary: MarkedSummary, texts: SearchTexts): boolean {
  return search.every((term) => fits(term, summary, texts) !== term.not);
}

function fits(term: SearchTerm, summary: MarkedSummary, texts: SearchTexts): boolean {
  switch (term.kind) {
    case 'text':
      return hasText(term, texts);
    case 'tag':
      return summary.tags.some((tag) => tag.toLowerCase() === term.text);
    case 'mailbox':
      return summary.mailbox.includes(term.text);
    case 'id':
      return summary.id.toLowerCase().startsWith(term.text);
    case 'tagged':
      return summary.tags.length > 0;
    case 'read':
      return summary.read;
    case 'attachment':
      return summary.attachments > 0;
    case 'quarantine':
      return summary.action === 'quarantine';
    case 'dmarc':
      return summary.dmarc === term.result;
    case 'before':
      return Date.parse(summary.receivedAt) < term.than;
    case 'larger':
      return summary.bytes > term.than;
  }
}

/** Whether the text is there, whatever `not` says. */
export function hasText({ field, text, within }: Extract<SearchTerm, { kind: 'text' }>, texts: SearchTexts): boolean {
  if (within !== undefined) {
    const lines = texts.header.split('\n');
    return lines.some((line) => `\n${line}`.startsWith(text) && line.includes(within, text.length - 1));
  }
  if (field === 'address') return texts.from.includes(text) || texts.to.includes(text);
  if (field !== 'any') return texts[field].includes(text);
  return [texts.from, texts.to, texts.subject, texts.other].some((one) => one.includes(text));
}

function lines(parts: readonly string[]): string {
  return parts.map(folded).join('\n');
}
