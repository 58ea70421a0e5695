// One row of a list of mail, and the text that a search reads. All worlds make both from the stored JSON, so their lists are
// the same.
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import type { Marks } from '#pipeline/contract/records/marks.ts';

/** A message in a list. `mailbox` is `local@domain`; verdicts are the words of RFC 8601. */
export type MessageSummary = {
  readonly id: string;
  readonly key: string;
  readonly receivedAt: string;
  readonly mailbox: string;
  readonly tag: string | null;
  readonly action: 'accept' | 'quarantine';
  /** The first From address as a person writes it (`Ann <ann@a.example>`), or null. */
  readonly from: string | null;
  readonly to: readonly string[];
  readonly subject: string | null;
  /** The beginning of the text, on one line, at most 140 characters. */
  readonly preview: string;
  /** Size of the raw message. */
  readonly bytes: number;
  readonly attachments: number;
  readonly problems: number;
  readonly spf: string;
  readonly dkim: string;
  readonly dmarc: string;
};

/** What a list says of a message: what its JSON says, and what people said of it. */
export type MarkedSummary = MessageSummary & Marks;

const previewLength = 140;
const searchedTextLength = 16_384;
const listedAddresses = 20;

/** The part that is one recipient's own; the rest is the same for all of them. */
export type OwnSummary = Pick<MessageSummary, 'id' | 'key' | 'receivedAt' | 'mailbox' | 'tag'>;

type Own = Pick<InboxMessage, 'id' | 'receivedAt' | 'mailbox' | 'envelope'>;

export function summarise(key: string, message: InboxMessage): MessageSummary {
  return { ...ownSummary(key, message), ...sharedSummary(message) };
}

export function ownSummary(key: string, { id, receivedAt, mailbox }: Omit<Own, 'envelope'>): OwnSummary {
  return { id, key, receivedAt, mailbox: `${mailbox.localPart}@${mailbox.domain}`, tag: mailbox.tag };
}

export function sharedSummary(message: InboxMessage): Omit<MessageSummary, keyof OwnSummary> {
  const { disposition, authentication, subject, raw } = message;
  return {
    action: disposition.action,
    from: message.from[0] === undefined ? null : shownAddress(message.from[0]),
    to: message.to.slice(0, listedAddresses).map(shownAddress),
    subject,
    preview: inlineText(message).slice(0, 2_000).replace(/\s+/g, ' ').trim().slice(0, previewLength),
    bytes: raw.bytes,
    attachments: message.attachments.length,
    problems: message.problems.length,
    spf: authentication.spf.result,
    dkim:
      authentication.dkim.find(({ result }) => result === 'pass')?.result ?? authentication.dkim[0]?.result ?? 'none',
    dmarc: authentication.dmarc.result,
  };
}

/** What a search reads, in lower case: sender, recipients, subject, file names, beginning of the text. */
export function searchText(message: InboxMessage): string {
  return `${ownSearchText(message)}\n${sharedSearchText(message)}`;
}

export function ownSearchText({ id, envelope: { reversePath, forwardPath } }: Pick<Own, 'id' | 'envelope'>): string {
  return [id, reversePath, forwardPath].join('\n').toLowerCase();
}

export function sharedSearchText(message: InboxMessage): string {
  const addresses = [...message.from, ...message.to, ...message.cc].slice(0, 3 * listedAddresses).map(shownAddress);
  const names = message.attachments.slice(0, listedAddresses).map(({ filename }) => filename);
  const text = inlineText(message).slice(0, searchedTextLength);
  return [message.subject ?? '', ...addresses, ...names, text].join('\n').toLowerCase();
}

/** Whether every word of `q` is in the search text. */
export function matchesSearch(searched: string, q: string): boolean {
  return searchWords(q).every((word) => searched.includes(word));
}

/** The words of a search, lower-case; at most ten. */
export function searchWords(q: string): readonly string[] {
  return q.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 10);
}

function inlineText({ text, html }: InboxMessage): string {
  if (typeof text === 'string') return text;
  if (typeof html === 'string') return html.slice(0, 20_000).replace(/<[^<>]{0,2000}>/g, ' ');
  return '';
}

function shownAddress({ name, address }: { readonly name: string; readonly address: string }): string {
  return name === '' ? address : `${name} <${address}>`;
}
