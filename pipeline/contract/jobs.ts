// The jobs of the queues: one zod schema for each kind, checked by sender and receiver. All that a stage needs is in its job
// or under `raw.key`; what is absent is `null`, never a missing field.
import { z } from 'zod';
import {
  envelopeFields,
  localEnvelopeSchema,
  remoteEnvelopeSchema,
  routedEnvelopeSchema,
} from '#mail/envelope/envelope.ts';
import { isMessageId, type MessageId } from '#mail/header/message-id.ts';
import { type QueueName, queueNames } from './stages.ts';

const messageId = z.custom<MessageId>(
  (value) => typeof value === 'string' && isMessageId(value),
  'a ULID in upper case',
);
const timestamp = z.iso.datetime({ precision: 3 });
const count = z.int().nonnegative();

/** Where the stored message is, how long it is in bytes, and the SHA-256 of those bytes in lower-case hex. */
export const rawObjectSchema = z.strictObject({
  key: z.string().min(1),
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const message = {
  version: z.literal(2),
  id: messageId,
  receivedAt: timestamp,
  raw: rawObjectSchema,
};

/** A job as it is, and one of version 1, in which the fields of the envelope stood among those of the job. */
function jobOf<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess(fromVersion1, z.strictObject({ ...message, ...shape }));
}

function fromVersion1(job: unknown): unknown {
  if (typeof job !== 'object' || job === null || !('version' in job) || job.version !== 1) return job;
  const fields = Object.entries(job);
  const own = fields.filter(([name]) => !envelopeFields.has(name)).flatMap(([name, value]) => ownField(name, value));
  return {
    ...Object.fromEntries(own),
    version: 2,
    envelope: Object.fromEntries(fields.filter(([name]) => envelopeFields.has(name))),
  };
}

/** Version 1 also had the due time, which the queue keeps, and a person's "now" as a time long past. */
function ownField(name: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (name === 'landed') return [['deliveredLocally', value]];
  if (name !== 'notBefore') return [[name, value]];
  return value === '1970-01-01T00:00:00.000Z' ? [['tryNow', true]] : [];
}

/** Job of queue `received`: a message that is stored and was acknowledged. `attempt` counts judgements, from 1. */
export const receivedJobSchema = jobOf({ envelope: routedEnvelopeSchema, attempt: z.int().positive() });

/** One DNS question asked while judging, and its outcome, so that a replay sees the same evidence. */
export const dnsEvidenceSchema = z.strictObject({
  name: z.string(),
  type: z.string(),
  /** The answer as `dns.promises.resolve` gives it, as JSON text; or the error code (`ENOTFOUND`, `ETIMEOUT` …). */
  outcome: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('answer'), json: z.string() }),
    z.strictObject({ kind: z.literal('error'), code: z.string() }),
  ]),
});

/**
 * What was found out about the sender. The words are those of RFC 8601 §2.7; every verdict carries its reason as a
 * sentence. `results` is the text of an Authentication-Results field (RFC 8601 §2.2) without the field's name.
 */
export const authenticationSchema = z.strictObject({
  spf: z.strictObject({
    result: z.enum(['none', 'neutral', 'pass', 'fail', 'softfail', 'temperror', 'permerror']),
    domain: z.string().nullable(),
    reason: z.string(),
  }),
  dkim: z.array(
    z.strictObject({
      result: z.enum(['none', 'pass', 'fail', 'policy', 'neutral', 'temperror', 'permerror']),
      domain: z.string().nullable(),
      selector: z.string().nullable(),
      algorithm: z.string().nullable(),
      reason: z.string(),
    }),
  ),
  dmarc: z.strictObject({
    result: z.enum(['none', 'pass', 'fail', 'temperror', 'permerror']),
    /** The domain of the From field (RFC 9989: the Author Domain), or null if there is not exactly one. */
    domain: z.string().nullable(),
    policy: z.enum(['none', 'quarantine', 'reject']).nullable(),
    aligned: z.strictObject({ spf: z.boolean(), dkim: z.boolean() }),
    reason: z.string(),
  }),
  arc: z.strictObject({
    result: z.enum(['none', 'pass', 'fail', 'temperror', 'permerror']),
    /** The number of ARC sets seen. */
    instances: count,
    reason: z.string(),
  }),
  results: z.string(),
  evidence: z.array(dnsEvidenceSchema),
});

/**
 * What policy decided for one domain's recipients, and why, as a sentence. `released`: a person put it into the inbox all the same;
 * `reason` is then why policy withheld it.
 */
export const dispositionSchema = z.strictObject({
  action: z.enum(['accept', 'quarantine']),
  reason: z.string(),
  released: z.strictObject({ at: timestamp, by: z.string() }).optional(),
});

/** Whether the reverse-path is proven to be the sender's own, and by what; see pipeline/contract/sender-proof.ts. */
export const senderProofSchema = z.discriminatedUnion('proven', [
  z.strictObject({ proven: z.literal(true), by: z.enum(['login', 'internal', 'spf', 'dkim', 'dmarc']) }),
  z.strictObject({ proven: z.literal(false), reason: z.string() }),
]);

/** Job of queue `parse`: the local recipients of a judged message that share one disposition. */
export const parseJobSchema = jobOf({
  envelope: localEnvelopeSchema,
  authentication: authenticationSchema,
  disposition: dispositionSchema,
});

/** A job that became a dead letter: of which queue, and why, for operators (the sender is not told that). */
export const givenUpSchema = z.strictObject({ queue: z.enum(queueNames), reason: z.string() });

/**
 * Job of queue `deliver`: one message for all its recipients at one remote domain. The reverse-path is already SRS-rewritten
 * for forwards. `attempt` counts from 1; the state is in the `deliveries/` object, the due time in the queue. `tryNow`: a
 * person wants it tried even if its destination is backed off. `deliveredLocally`: these recipients are mailboxes here that
 * have the message, or aliases that led outside; only the report of that is to be sent (RFC 3461 NOTIFY=SUCCESS). `givenUp`:
 * the job of these recipients became a dead letter; only that is to be recorded and reported.
 */
export const deliverJobSchema = jobOf({
  envelope: remoteEnvelopeSchema,
  domain: z.string().min(1),
  /** The domain whose keys sign, or null: not signed (forwarded mail keeps its own signatures). */
  signingDomain: z.string().nullable(),
  attempt: z.int().positive(),
  firstAttemptAt: timestamp.nullable(),
  expiresAt: timestamp,
  /** Absent in jobs of an earlier version: a sender from outside is not proven then. */
  sender: senderProofSchema.optional(),
  tryNow: z.literal(true).optional(),
  deliveredLocally: z.literal(true).optional(),
  givenUp: givenUpSchema.optional(),
});

/**
 * Job of queue `notify`: one hook of the configuration is to be told of one stored message. `key`: of its JSON. `attempt` counts from
 * 1; `lastReason`: why the one before failed. It is tried for a day from `createdAt`.
 */
export const notifyJobSchema = z.strictObject({
  version: z.literal(1),
  id: messageId,
  key: z.string().min(1),
  hook: z.string().min(1),
  createdAt: timestamp,
  attempt: z.int().positive(),
  lastReason: z.string().nullable(),
});

export type ReceivedJob = Readonly<z.infer<typeof receivedJobSchema>>;
export type DnsEvidence = Readonly<z.infer<typeof dnsEvidenceSchema>>;
export type Authentication = Readonly<z.infer<typeof authenticationSchema>>;
export type SenderProof = Readonly<z.infer<typeof senderProofSchema>>;
export type Disposition = Readonly<z.infer<typeof dispositionSchema>>;
export type ParseJob = Readonly<z.infer<typeof parseJobSchema>>;
export type DeliverJob = Readonly<z.infer<typeof deliverJobSchema>>;
export type NotifyJob = Readonly<z.infer<typeof notifyJobSchema>>;

/** By queue. `received-slow`: messages that wait for the DNS. */
export const jobSchemas = {
  received: receivedJobSchema,
  'received-slow': receivedJobSchema,
  parse: parseJobSchema,
  deliver: deliverJobSchema,
  notify: notifyJobSchema,
} as const satisfies Readonly<Record<QueueName, z.ZodType>>;

type Jobs = { readonly [Queue in QueueName]: Readonly<z.infer<(typeof jobSchemas)[Queue]>> };

export type JobOf<Queue extends QueueName> = Jobs[Queue];
