// The finished message, as programs read it from `inbox/`: schema `inbox-message`, version 1 (docs/schemas).
// The zod schema below is the source; the published JSON Schema is made from it.
import { z } from 'zod';
import { authenticationSchema, dispositionSchema, mailboxSchema, rawObjectSchema, sessionSchema } from './jobs.ts';

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** An address of a header field: the display name (empty where there is none) and the address as written. */
const headerAddress = z.strictObject({ name: z.string(), address: z.string(), group: z.string().nullable() });

/** A body text: inline, or where it exceeds 256 KiB the object it was stored as (UTF-8). */
const bodyText = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('inline'), content: z.string() }),
  z.strictObject({ kind: z.literal('object'), key: z.string(), bytes: count, sha256 }),
]);

const attachment = z.strictObject({
  /** A name that is safe to save under: no path, no control characters, never empty. */
  filename: z.string().min(1),
  contentType: z.string(),
  bytes: count,
  sha256,
  key: z.string(),
  contentId: z.string().nullable(),
  inline: z.boolean(),
});

/** Something that was wrong with the message: a stable word for programs, a sentence for people. */
const messageProblem = z.strictObject({ code: z.string(), detail: z.string() });

/** One message for one local recipient. HTML is as the sender wrote it: sanitize before showing it. */
export const inboxMessageSchema = z.strictObject({
  schema: z.literal('inbox-message/1'),
  id: z.string(),
  receivedAt: z.iso.datetime({ precision: 3 }),
  mailbox: mailboxSchema,
  envelope: z.strictObject({ reversePath: z.string(), forwardPath: z.string() }),
  session: sessionSchema,
  authentication: authenticationSchema,
  disposition: dispositionSchema,
  headers: z.array(z.strictObject({ name: z.string(), raw: z.string(), value: z.string() })),
  messageId: z.string().nullable(),
  date: z.iso.datetime({ precision: 3 }).nullable(),
  subject: z.string().nullable(),
  from: z.array(headerAddress),
  to: z.array(headerAddress),
  cc: z.array(headerAddress),
  replyTo: z.array(headerAddress),
  inReplyTo: z.string().nullable(),
  references: z.array(z.string()),
  text: bodyText.nullable(),
  html: bodyText.nullable(),
  attachments: z.array(attachment),
  raw: rawObjectSchema,
  problems: z.array(messageProblem),
});

/** See {@link inboxMessageSchema}. */
export type InboxMessage = Readonly<z.infer<typeof inboxMessageSchema>>;
