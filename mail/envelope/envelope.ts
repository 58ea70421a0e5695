// The envelope of a message (RFC 5321 §2.3.1): how it came in, who sent it, what was asked for it, who gets it. One schema, which
// jobs and the stored form contain. Absent is null, never a missing field; what has a default may be missing in older ones.
import { z } from 'zod';
import { localRecipientSchema, remoteRecipientSchema, routedRecipientSchema } from './recipient.ts';

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

/** That of mail which the service itself wrote. */
export const internalSession: Session = {
  role: 'internal',
  clientIp: null,
  clientName: null,
  helo: null,
  tls: null,
  user: null,
};

/** Whether the sender proved to be a user. On port 25 only a capture server offers AUTH, and it accepts any user. */
export function isLoggedIn({ role, user }: Pick<Session, 'role' | 'user'>): boolean {
  return user !== null && role !== 'mx';
}
export type RoutedEnvelope = Readonly<z.infer<typeof routedEnvelopeSchema>>;
