// Jobs as a listener and the stages write them, for tests that need any valid one.
import { createHash } from 'node:crypto';
import { type EnvelopeOptions, envelopeFields, envelopeOptionsSchema } from '#mail/envelope/envelope.ts';
import { type MessageId, messageIdFactory } from '#mail/header/message-id.ts';
import type { DeliverJob, ReceivedJob } from '#pipeline/contract/jobs.ts';
import { rawKey } from '#pipeline/contract/keys.ts';

const newId = messageIdFactory();

/** A fresh id of the given time (milliseconds since 1970; now where left out). */
export function sampleId(nowMs: number = Date.now()): MessageId {
  return newId(nowMs);
}

/** A job with the fields of its envelope among its own, as tests write it; usual options may be left out. */
export type Flat<Job extends { readonly envelope: object }> = Omit<Job, 'envelope'> &
  Omit<Job['envelope'], keyof EnvelopeOptions> &
  Partial<EnvelopeOptions>;

/** The job that they are of. */
export function nested<Job extends { readonly envelope: object }>(flat: Flat<Job>): Job {
  const fields = Object.entries(flat);
  const given = Object.fromEntries(fields.filter(([name]) => envelopeFields.has(name)));
  const envelope = { ...envelopeOptionsSchema.parse({}), ...given };
  return { ...Object.fromEntries(fields.filter(([name]) => !envelopeFields.has(name))), envelope } as unknown as Job;
}

/** A job with other things in its envelope. */
export function withEnvelope<Job extends { readonly envelope: object }>(job: Job, over: Partial<Job['envelope']>): Job {
  return { ...job, envelope: { ...job.envelope, ...over } };
}

/** A received job with one local recipient; `over` replaces fields. */
export function sampleReceivedJob(
  over: Partial<Flat<ReceivedJob>> & { readonly content?: Uint8Array } = {},
): ReceivedJob {
  const { content = Buffer.from('Subject: hello\r\n\r\nhello\r\n'), ...fields } = over;
  const id = fields.id ?? sampleId();
  const receivedAt = fields.receivedAt ?? new Date().toISOString();
  const sha256 = createHash('sha256').update(content).digest('hex');
  const session = {
    role: 'mx',
    clientIp: '192.0.2.1',
    clientName: null,
    helo: 'mx.sender.example',
    tls: null,
    user: null,
  } as const;
  const mailbox = { domain: 'receiver.example', localPart: 'support', tag: null };
  const dsn = { notify: null, orcpt: null };
  return nested<ReceivedJob>({
    version: 2,
    id,
    receivedAt,
    raw: { key: rawKey({ id, receivedAt }), bytes: content.length, sha256 },
    session,
    reversePath: 'ann@sender.example',
    attempt: 1,
    recipients: [{ forwardPath: 'support@receiver.example', dsn, route: { kind: 'mailbox', mailbox } }],
    ...fields,
  });
}

/** A deliver job with one recipient; `over` replaces fields. */
export function sampleDeliverJob(over: Partial<Flat<DeliverJob>> = {}): DeliverJob {
  const { envelope, ...message } = sampleReceivedJob();
  const domain = over.domain ?? 'remote.example';
  const dsn = { notify: null, orcpt: null };
  return nested<DeliverJob>({
    ...message,
    ...envelope,
    domain,
    recipients: [{ forwardPath: `bob@${domain}`, dsn, originalForwardPath: null }],
    signingDomain: null,
    attempt: 1,
    firstAttemptAt: null,
    expiresAt: new Date(Date.parse(message.receivedAt) + 432_000_000).toISOString(),
    ...over,
  });
}
