// What the list of mail keeps of a message as it is stored: made from its JSON. Of a message whose JSON is in two parts, what
// is its own and what it shares with other recipients' are kept apart as well, each made from its part alone.
import { z } from 'zod';
import { type MessageSummary, ownSummary, sharedSummary, summarise } from '#ops/messages/message-summary.ts';
import { type SearchTexts, searchTexts } from '#ops/messages/search-match.ts';
import { parseInboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { type Marks, noMarks } from '#pipeline/contract/records/marks.ts';

/** What a list is narrowed down by. */
export type MailFacts = Pick<MessageSummary, 'bytes' | 'attachments' | 'spf' | 'dkim' | 'dmarc'>;

/**
 * A row of the list; `summary` is JSON text. `facts`: null if they are those that its shared part says. `texts`: what a search looks
 * into; null where only a part of the message was read.
 */
export type Listing = {
  readonly id: string;
  readonly mailbox: string;
  readonly domain: string;
  readonly summary: string;
  readonly facts: MailFacts | null;
  readonly texts: SearchTexts | null;
};

/** What all recipients' rows have in common. */
export type SharedListing = Pick<Listing, 'summary'>;

const ownSchema = z.object({
  id: z.string(),
  receivedAt: z.string(),
  mailbox: z.object({ domain: z.string(), localPart: z.string(), tag: z.string().nullable() }),
});

/** Of a whole message; null where the JSON is none. */
export function listingOf(key: string, content: Uint8Array): Listing | null {
  const message = parseInboxMessage(textOf(content));
  if (message === null) return null;
  const summary = summarise(key, message);
  const { id, mailbox } = message;
  const line = JSON.stringify(summary);
  return {
    id,
    mailbox: summary.mailbox,
    domain: mailbox.domain,
    summary: line,
    facts: summary,
    texts: searchTexts(message),
  };
}

/** Of what a message shares, by the message of which it is the end; null where that is none. */
export function sharedListingOf(own: Uint8Array, shared: Uint8Array): SharedListing | null {
  const message = parseInboxMessage(`${textOf(own)}${textOf(shared)}`);
  if (message === null) return null;
  return { summary: JSON.stringify(sharedSummary(message)) };
}

/** Of the beginning of a message, which lacks the closing brace; null where it has not what is needed. */
export function ownListingOf(key: string, own: Uint8Array): Listing | null {
  const parsed = ownSchema.safeParse(parseJson(`${textOf(own)}}`)).data;
  if (parsed === undefined) return null;
  const summary = ownSummary(key, parsed);
  const { id, mailbox } = parsed;
  const line = JSON.stringify(summary);
  return { id, mailbox: summary.mailbox, domain: mailbox.domain, summary: line, facts: null, texts: null };
}

/** None where the JSON is no record of marks. */
export function readMarks(content: Uint8Array): Marks {
  return marksSchema.safeParse(parseJson(textOf(content))).data ?? noMarks;
}

const marksSchema = z.object({ read: z.boolean(), tags: z.array(z.string()) });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function textOf(content: Uint8Array): string {
  return Buffer.from(content.buffer, content.byteOffset, content.length).toString();
}
