// The `deliveries/` object: what became of one message at one destination, with every attempt. The deliver stage writes it,
// by compare-and-set alone; the ops API and the command line read it.
import { z } from 'zod';
import {
  pendingRecipient,
  type RemoteRecipient,
  recipientAtHostSchema,
  recipientDeliverySchema,
  recordedReplySchema,
} from '#mail/envelope/recipient.ts';
import { type DeliverJob, deliverJobSchema, givenUpSchema } from '#pipeline/contract/jobs.ts';
import { deliveryKey } from '#pipeline/contract/keys.ts';
import { recordKind, timestamp } from './stored-record.ts';

/** One host of one attempt. `failed`: no mail could be offered; `reason` says why, `reply` what the host said. */
const hostTrySchema = z.strictObject({
  host: z.string(),
  ip: z.string(),
  port: z.int(),
  at: timestamp,
  seconds: z.number().nonnegative(),
  reused: z.boolean(),
  tls: z.strictObject({ version: z.string(), cipher: z.string(), problem: z.string().nullable() }).nullable(),
  outcome: z.enum(['talked', 'failed']),
  /** Where it failed: `connect`, `greeting`, `hello`, `tls`, `login`; null if it did not. */
  stage: z.string().nullable(),
  reason: z.string().nullable(),
  reply: recordedReplySchema.nullable(),
  recipients: z.array(recipientAtHostSchema),
});

/** `reason`: why there was no host to try, or what ended the attempt early. */
const attemptSchema = z.strictObject({
  attempt: z.int().positive(),
  at: timestamp,
  seconds: z.number().nonnegative(),
  reason: z.string().nullable(),
  hosts: z.array(hostTrySchema),
});

/** A notification the sender is owed or was given; `dropped` with the reason if it could go nowhere. */
const noticeSchema = z.strictObject({
  id: z.string(),
  at: timestamp,
  outcome: z.enum(['owed', 'sent', 'dropped']),
  reason: z.string().nullable(),
  recipients: z.array(
    z.strictObject({
      forwardPath: z.string(),
      action: z.enum(['failed', 'delayed', 'delivered', 'relayed', 'expanded']),
    }),
  ),
});

export const deliveryStateSchema = z.strictObject({
  schema: z.literal('delivery/1'),
  /** `sending`: an attempt is under way; `waiting`: for the next; the others are final: all recipients, or `partial`. */
  state: z.enum(['sending', 'waiting', 'delivered', 'bounced', 'partial']),
  /** The job of the first attempt, with all recipients: what a retry is made of. */
  job: deliverJobSchema,
  firstAttemptAt: timestamp.nullable(),
  updatedAt: timestamp,
  recipients: z.array(recipientDeliverySchema),
  /** In order; if there are very many, the middle ones are left out. */
  attempts: z.array(attemptSchema),
  /** The worker of the attempt; no other may try before `until`. */
  lease: z.strictObject({ attempt: z.int().positive(), owner: z.string(), at: timestamp, until: timestamp }).nullable(),
  /** The attempt to come, and when it is due. `queued`: its job is known to be on the queue. */
  next: z
    .strictObject({ attempt: z.int().positive(), at: timestamp, reason: z.string(), queued: z.boolean() })
    .nullable(),
  /** When the sender got the delay warning. */
  warnedAt: timestamp.nullable(),
  notices: z.array(noticeSchema),
  /** Set if its job became a dead letter: the sender got a report, and a redrive of the job tries those recipients again. */
  givenUp: givenUpSchema.extend({ at: timestamp, recipients: z.array(z.string()) }).optional(),
});

export type DeliveryState = Readonly<z.infer<typeof deliveryStateSchema>>;

/** By message and destination domain: a `DeliverJob` has both. */
export const deliveryRecord = recordKind(deliveryKey, (json): DeliveryState => deliveryStateSchema.parse(json));

export type DeliveryAttempt = DeliveryState['attempts'][number];
export type HostTry = DeliveryAttempt['hosts'][number];
export type DeliveryNotice = DeliveryState['notices'][number];

/** The state before the first attempt. The job in it is what a retry is made of: neither a dead letter nor one to try now. */
export function newDeliveryState({ givenUp: _, tryNow: __, ...job }: DeliverJob, nowMs: number): DeliveryState {
  return {
    schema: 'delivery/1',
    state: 'waiting',
    job,
    firstAttemptAt: null,
    updatedAt: new Date(nowMs).toISOString(),
    recipients: job.envelope.recipients.map(({ forwardPath }) => pendingRecipient(forwardPath)),
    attempts: [],
    lease: null,
    next: null,
    warnedAt: null,
    notices: [],
  };
}

/**
 * An operator's "try now": those still pending are tried at once; `again` also those that bounced, with a new time to expire
 * (as long as the first). Answers the state to write (If-Match) and the job to send; null if nothing is left to try, or an
 * attempt is under way.
 */
export function retryNow(
  state: DeliveryState,
  { nowMs, again }: { readonly nowMs: number; readonly again: boolean },
): { readonly state: DeliveryState; readonly job: DeliverJob } | null {
  const isUnderWay = state.lease !== null && Date.parse(state.lease.until) > nowMs;
  const recipients = state.recipients.map((recipient) =>
    again && recipient.state === 'bounced' ? pendingRecipient(recipient.forwardPath) : recipient,
  );
  const pending = pendingPaths({ recipients });
  if (isUnderWay || pending.size === 0) return null;
  const at = new Date(nowMs).toISOString();
  const lifeMs = Date.parse(state.job.expiresAt) - Date.parse(state.job.receivedAt);
  const expiresAt = again ? new Date(nowMs + lifeMs).toISOString() : state.job.expiresAt;
  const attempt = state.next?.attempt ?? (state.attempts.at(-1)?.attempt ?? 0) + 1;
  const job = { ...state.job, expiresAt };
  const { givenUp: _, ...kept } = state;
  return {
    state: {
      ...kept,
      state: 'waiting',
      job,
      recipients,
      updatedAt: at,
      lease: null,
      next: { attempt, at, reason: 'tried again by hand', queued: true },
    },
    job: { ...pendingJob(job, pending), attempt, firstAttemptAt: state.firstAttemptAt, tryNow: true },
  };
}

/** What the message's envelope says of one of the record's recipients. */
export function askedRecipient({ job }: Pick<DeliveryState, 'job'>, path: string): RemoteRecipient | undefined {
  return job.envelope.recipients.find(({ forwardPath }) => forwardPath === path);
}

/** The forward-paths of those recipients that are still pending. */
export function pendingPaths({ recipients }: Pick<DeliveryState, 'recipients'>): ReadonlySet<string> {
  return new Set(recipients.filter(({ state }) => state === 'pending').map(({ forwardPath }) => forwardPath));
}

/** The job for those recipients that are still pending. */
export function pendingJob(job: DeliverJob, pending: ReadonlySet<string>): DeliverJob {
  const recipients = job.envelope.recipients.filter(({ forwardPath }) => pending.has(forwardPath));
  return withRecipients(job, recipients);
}

/** The same job for other recipients. */
export function withRecipients(job: DeliverJob, recipients: DeliverJob['envelope']['recipients']): DeliverJob {
  return { ...job, envelope: { ...job.envelope, recipients } };
}
