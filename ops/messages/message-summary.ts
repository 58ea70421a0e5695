// One row of a list of mail. All worlds make it from the stored JSON, so their lists are the same.
import { decodeEntities } from '#ops/content/html-text.ts';
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
/** With what pads the hidden beginning of newsletters. Alone, a joiner or soft hyphen belongs to its word. */
const blanks = /(?:\u034f|\u200d|[\s\u00ad\u200b\u200c\u2060\ufeff]){2,}|\s/g;
/** Elements whose text is not shown, and comments, each to its end; to the end of all where it has none. */
const unseen = /<!--.*?(?:-->|$)|<(style|script|title)\b.*?(?:<\/\1[^>]{0,100}>?|$)/gis;
const listedAddresses = 20;
const maxHtmlLength = 40_000;

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
    preview: inlineText(message).slice(0, 2_000).replace(blanks, ' ').trim().slice(0, previewLength),
    bytes: raw.bytes,
    attachments: message.attachments.length,
    problems: message.problems.length,
    spf: authentication.spf.result,
    dkim:
      authentication.dkim.find(({ result }) => result === 'pass')?.result ?? authentication.dkim[0]?.result ?? 'none',
    dmarc: authentication.dmarc.result,
  };
}

/** The beginning of its text, or of what its HTML shows. Takes time by the length alone. */
export function inlineText({ text, html }: Pick<InboxMessage, 'text' | 'html'>): string {
  if (typeof text === 'string') return text;
  if (typeof html !== 'string') return '';
  return decodeEntities(
    html
      .slice(0, maxHtmlLength)
      .replace(unseen, ' ')
      .replace(/<[^<>]{0,2000}>/g, ' '),
  );
}

/** An address as a person writes it. */
export function shownAddress({ name, address }: { readonly name: string; readonly address: string }): string {
  return name === '' ? address : `${name} <${address}>`;
}
