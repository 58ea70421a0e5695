// The finished message, as programs read it from `inbox/`: schema `inbox-message`, version 1. The JSON Schema in
// docs/schemas is made from the zod schema below.
import { z } from 'zod';
import { sessionSchema } from '#mail/envelope/envelope.ts';
import { mailboxSchema } from '#mail/envelope/recipient.ts';
import { authenticationSchema, dispositionSchema, rawObjectSchema } from '#pipeline/contract/jobs.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore, PutOutcome, PutRequest } from '#pipeline/contract/ports.ts';
import { recordKind } from './stored-record.ts';

export const inboxMessageVersion = 'inbox-message/1';

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** An address of a header field: the display name (empty if there is none) and the address as written. */
const headerAddress = z.strictObject({
  name: z.string().describe('The display name, decoded; empty if there is none.'),
  address: z.string().describe('The address as written; empty if the field holds something that is no address.'),
  group: z.string().nullable().describe('The name of the group it stands in (RFC 5322 §3.4), or null.'),
});

/** A body text as it is, or, if it exceeds 256 KiB, the object it was stored as (UTF-8). */
const bodyText = z.union([
  z.string().describe('The text; lines end in LF.'),
  z.strictObject({
    key: z.string().describe('The object in the same bucket: UTF-8, lines end in LF.'),
    bytes: count,
    sha256,
  }),
]);

const attachment = z.strictObject({
  filename: z
    .string()
    .min(1)
    .describe('A name that is safe to save under: no path, no control characters, never empty. Not always unique.'),
  contentType: z.string().describe('The media type that the part declares, in lower case; do not trust it.'),
  bytes: count.describe('Length of the decoded content.'),
  sha256: sha256.describe('SHA-256 of the decoded content, lower-case hex.'),
  key: z.string().describe('The decoded content in the same bucket.'),
  contentId: z.string().nullable().describe('The Content-ID without its angle brackets: what `cid:` links name.'),
  inline: z.boolean().describe('Meant to be shown in the text (an image of the HTML) rather than offered as a file.'),
});

const messageProblem = z.strictObject({
  code: z.string().describe('A stable word for programs; see docs/inbox-message.md.'),
  detail: z.string().describe('A sentence for people.'),
});

const header = z.strictObject({
  name: z.string().describe('The name as written.'),
  raw: z
    .string()
    .describe('All that follows the colon, folds included, as UTF-8; bytes that are no UTF-8 are U+FFFD each.'),
  value: z.string().describe('The same unfolded, trimmed, encoded words (RFC 2047) decoded.'),
});

/** What comes from the header of the message. */
export const headFields = {
  headers: z
    .array(header)
    .describe('The header fields in order, our own Received field first. At most 1,000 and 384 KiB of JSON.'),
  messageId: z.string().nullable().describe('The Message-ID with its angle brackets.'),
  date: z.iso.datetime({ precision: 3 }).nullable().describe('The Date field in UTC: what the sender claims.'),
  subject: z.string().nullable().describe('The Subject, decoded.'),
  from: z.array(headerAddress).describe('The authors: those of the first From field.'),
  to: z.array(headerAddress),
  cc: z.array(headerAddress),
  replyTo: z.array(headerAddress),
  inReplyTo: z.string().nullable().describe('The message id that it answers, with its angle brackets.'),
  references: z.array(z.string()).describe('The message ids of the thread, oldest first.'),
};

/** One message for one local recipient. HTML is as the sender wrote it: sanitize before showing it. */
export const inboxMessageSchema = z
  .strictObject({
    schema: z.literal(inboxMessageVersion).describe('What this is, and its version.'),
    id: z.string().describe('The id that the sender was told in the 250 reply: a ULID, the same for all recipients.'),
    receivedAt: z.iso.datetime({ precision: 3 }).describe('When it was accepted, in UTC.'),
    mailbox: mailboxSchema.describe('The mailbox that this JSON is for.'),
    envelope: z
      .strictObject({
        reversePath: z.string().describe('The address bounces go to; empty for the null reverse-path.'),
        forwardPath: z.string().describe('The address that the sender gave for this recipient.'),
      })
      .describe('The SMTP envelope of this recipient alone; the others stay private.'),
    session: sessionSchema.describe('How the message came in.'),
    authentication: authenticationSchema.describe('What was found out about the sender (RFC 8601).'),
    disposition: dispositionSchema.describe(
      'What policy decided, and why; with `released` if a person took it out of quarantine, and why it was there.',
    ),
    ...headFields,
    text: bodyText.nullable().describe('All text/plain parts; null if there is none. It is not made from HTML.'),
    html: bodyText
      .nullable()
      .describe('All text/html parts AS THE SENDER WROTE THEM. Sanitize before showing. Null if there is none.'),
    attachments: z.array(attachment).describe('At most 250, in the order of the message.'),
    raw: rawObjectSchema.describe('The message as it was received, behind our own Received field.'),
    problems: z.array(messageProblem).describe('What was wrong with the message, or left out here.'),
  })
  .describe('One message for one local recipient, as Pillarbox writes it under inbox/ and quarantine/.');

export type InboxMessage = Readonly<z.infer<typeof inboxMessageSchema>>;

/** By folder, mailbox and message. */
export const inboxMessageRecord = recordKind(messageKey, (json): InboxMessage => inboxMessageSchema.parse(json));

/** Reads stored JSON text; null if it is no inbox message. */
export function parseInboxMessage(json: string): InboxMessage | null {
  try {
    return inboxMessageSchema.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}

/** `json`: one as text; all recipients share its end. `conflict`: it is there already. */
export function writeInboxMessage(
  store: Pick<ObjectStore, 'put'>,
  key: string,
  json: Pick<PutRequest, 'body' | 'sharedTail'>,
): Promise<PutOutcome> {
  const metadata = { schema: inboxMessageVersion };
  return store.put({ key, ...json, contentType: 'application/json', metadata, condition: { ifAbsent: true } });
}
