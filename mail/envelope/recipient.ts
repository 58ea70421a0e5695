// A recipient on its way: accepted at RCPT and routed (1); judged, and local or remote (2); what each host said of it (3); delivered
// or bounced (4). All of them are the recipient of that forwardPath; the steps add to it.
import { z } from 'zod';

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

/** 1. Accepted at RCPT, with one of its routes. */
export const routedRecipientSchema = z.strictObject({ ...recipient, route: routeSchema });

/** 2. Judged, and to be delivered to a mailbox here. */
export const localRecipientSchema = z.strictObject({ ...recipient, mailbox: mailboxSchema });

/** 2. Judged, and to be sent on. `originalForwardPath`: the address the sender wrote, where an alias led on from it; else null. */
export const remoteRecipientSchema = z.strictObject({ ...recipient, originalForwardPath: z.string().nullable() });

/** A peer's reply on record: code, enhanced code where it gave one, its words on one line. */
export const recordedReplySchema = z.strictObject({
  code: z.int(),
  enhanced: z.string().nullable(),
  text: z.string(),
});

/**
 * 3. What one host said of one recipient. `accepted`: took the message; `refused`: 5xx; `deferred`: 4xx; `unknown`: the
 * connection broke after the whole message was sent, it may have been delivered; `untried`: broke before, nothing was sent.
 */
export const recipientAtHostSchema = z.strictObject({
  forwardPath: z.string(),
  outcome: z.enum(['accepted', 'refused', 'deferred', 'unknown', 'untried']),
  stage: z.enum(['mail', 'rcpt', 'data', 'message', 'capability']),
  reply: recordedReplySchema.nullable(),
  reason: z.string().nullable(),
});

/** 4. What became of it at its destination, after all attempts so far. */
export const recipientDeliverySchema = z.strictObject({
  forwardPath: z.string(),
  /** `bounced` is final too: refused, or given up when it expired. */
  state: z.enum(['pending', 'delivered', 'bounced']),
  /** Enhanced status code (RFC 3463), null where nothing is known yet. */
  status: z.string().nullable(),
  /** Why, as a sentence. */
  reason: z.string().nullable(),
  /** The last thing a peer said about it, as it came, and which host that was. */
  diagnostic: z.string().nullable(),
  host: z.string().nullable(),
  at: z.iso.datetime({ precision: 3 }).nullable(),
});

export type RecipientDsn = Readonly<z.infer<typeof recipientDsnSchema>>;
export type Mailbox = Readonly<z.infer<typeof mailboxSchema>>;
export type Route = Readonly<z.infer<typeof routeSchema>>;
export type RoutedRecipient = Readonly<z.infer<typeof routedRecipientSchema>>;
export type LocalRecipient = Readonly<z.infer<typeof localRecipientSchema>>;
export type RemoteRecipient = Readonly<z.infer<typeof remoteRecipientSchema>>;
export type RecipientAtHost = Readonly<z.infer<typeof recipientAtHostSchema>>;
export type RecipientDelivery = Readonly<z.infer<typeof recipientDeliverySchema>>;

/** RCPT asked for nothing (RFC 3461 §4.1, §4.2). */
export const noDsn: RecipientDsn = { notify: null, orcpt: null };

/** The forward-paths of recipients, each once. */
export function pathsOf(recipients: readonly { readonly forwardPath: string }[]): ReadonlySet<string> {
  return new Set(recipients.map(({ forwardPath }) => forwardPath));
}

/** Before the first attempt. */
export function pendingRecipient(forwardPath: string): RecipientDelivery {
  return { forwardPath, state: 'pending', status: null, reason: null, diagnostic: null, host: null, at: null };
}

/** The same without a report of success, for those whose success is reported as that of another address. */
export function withoutSuccess(dsn: RecipientDsn): RecipientDsn {
  if (dsn.notify?.includes('success') !== true) return dsn;
  const rest = dsn.notify.filter((word) => word !== 'success');
  return { ...dsn, notify: rest.length > 0 ? rest : ['never'] };
}
