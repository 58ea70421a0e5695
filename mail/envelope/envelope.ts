// The envelope of a message (RFC 5321 §2.3.1): how it came in, who sent it, what was asked for it, who gets it. One schema, which
// jobs and the stored form contain. Absent is null, never a missing field; what has a default may be missing in older ones.
import { z } from 'zod';

/**
 * How the message came in. `internal` is mail that the service itself wrote (a bounce).
 * `clientName` is the verified reverse name or null; `user` the authenticated submitter or null.
 */
export const sessionSchema = z.strictObject({
  role: z.enum(['mx', 'submission', 'submissions', 'internal']),
  clientIp: z.string().nullable(),
  clientName: z.string().nullable(),
  helo: z.string().nullable(),
  tls: z.strictObject({ version: z.string(), cipher: z.string() }).nullable(),
  user: z.string().nullable(),
});

/** What the sender asked to be told of one recipient (RFC 3461 §4.1, §4.2); null where it asked for nothing. */
export const recipientDsnSchema = z.strictObject({
  notify: z.array(z.enum(['never', 'success', 'failure', 'delay'])).nullable(),
  orcpt: z.string().nullable(),
});

/** The local mailbox an address leads to; `tag` is what stood behind a `+`, or null. */
export const mailboxSchema = z.strictObject({
  domain: z.string().min(1),
  localPart: z.string().min(1),
  tag: z.string().nullable(),
});

/**
 * Where a recipient's mail goes. An alias may lead to several mailboxes and several outside addresses at once:
 * it is then several recipients with the same forwardPath, one for each route.
 */
const routeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('mailbox'), mailbox: mailboxSchema }),
  z.strictObject({ kind: z.literal('forward'), to: z.array(z.string().min(1)).min(1) }),
  z.strictObject({ kind: z.literal('relay') }),
]);

/** A recipient as RCPT named it. It grows by what is found out about it: a route, then its mailbox or its remote address. */
const recipient = {
  forwardPath: z.string().min(1),
  dsn: recipientDsnSchema,
  /** Set where the address (or one it leads to) is known to have bounced: should it take the mail, that is to be recorded. */
  bouncedBefore: z.literal(true).optional(),
};

/** Accepted at RCPT, with one of its routes. */
const routedRecipientSchema = z.strictObject({ ...recipient, route: routeSchema });

/** To be delivered to a mailbox here. */
const localRecipientSchema = z.strictObject({ ...recipient, mailbox: mailboxSchema });

/** To be sent on. `originalForwardPath`: the address the sender wrote, where an alias led on from it; else null. */
const remoteRecipientSchema = z.strictObject({ ...recipient, originalForwardPath: z.string().nullable() });

/** What MAIL asked for the message as a whole (mail/smtp/parameters.ts), each with what it is where nothing was asked. */
const options = {
  bodyType: z.enum(['7bit', '8bitmime', 'binarymime']).default('7bit'),
  smtpUtf8: z.boolean().default(false),
  requireTls: z.boolean().default(false),
  /** From -9 to 9; 0 is usual (RFC 6710 §3). */
  mtPriority: z.int().min(-9).max(9).default(0),
  /** What was asked of bounces (RFC 3461 §4.3, §4.4). */
  dsn: z
    .strictObject({ ret: z.enum(['full', 'hdrs']).nullable(), envid: z.string().nullable() })
    .default({ ret: null, envid: null }),
};

const sender = {
  session: sessionSchema,
  /** The address bounces go to; the empty string is the null reverse-path `<>`. */
  reversePath: z.string(),
  ...options,
};

/** The options by themselves. */
export const envelopeOptionsSchema = z.object(options);

/** The envelope of a message whose recipients are routed, local, or remote ones at one domain. */
export const routedEnvelopeSchema = z.strictObject({ ...sender, recipients: z.array(routedRecipientSchema).min(1) });
export const localEnvelopeSchema = z.strictObject({ ...sender, recipients: z.array(localRecipientSchema).min(1) });
export const remoteEnvelopeSchema = z.strictObject({ ...sender, recipients: z.array(remoteRecipientSchema).min(1) });

/** The names of an envelope's fields. */
export const envelopeFields: ReadonlySet<string> = new Set([...Object.keys(sender), 'recipients']);

export type EnvelopeOptions = Readonly<z.infer<typeof envelopeOptionsSchema>>;
export type Session = Readonly<z.infer<typeof sessionSchema>>;
export type RecipientDsn = Readonly<z.infer<typeof recipientDsnSchema>>;
export type Mailbox = Readonly<z.infer<typeof mailboxSchema>>;
export type Route = Readonly<z.infer<typeof routeSchema>>;
export type RoutedRecipient = Readonly<z.infer<typeof routedRecipientSchema>>;
export type LocalRecipient = Readonly<z.infer<typeof localRecipientSchema>>;
export type RemoteRecipient = Readonly<z.infer<typeof remoteRecipientSchema>>;
export type RoutedEnvelope = Readonly<z.infer<typeof routedEnvelopeSchema>>;
export type LocalEnvelope = Readonly<z.infer<typeof localEnvelopeSchema>>;
export type RemoteEnvelope = Readonly<z.infer<typeof remoteEnvelopeSchema>>;
