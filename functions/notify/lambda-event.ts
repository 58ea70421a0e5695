// The event that a function gets of a MailRule: the record of its queue, whose body is EventBridge's event, whose detail is the mail
// event. On one machine the account, the region and the bucket are stand-ins. Pure.
import { createHash } from 'node:crypto';
import type { NotifyJob } from '#pipeline/contract/jobs.ts';
import { type MailEvent, mailEventSource, mailEventType } from '#pipeline/contract/mail-event.ts';

/** What stands where a deployment has its own. The account is that of examples in AWS's documents. */
export const standIns = { account: '123456789012', region: 'us-east-1', bucket: 'pillarbox-mail' } as const;

/**
 * An SQSEvent of one record. Its `messageId` is the same for each attempt, and another for a replay; `ApproximateReceiveCount` is the
 * number of the attempt.
 */
export function lambdaEvent(job: NotifyJob, event: MailEvent, nowMs: number): object {
  const { hook, attempt, createdAt } = job;
  const { account, region, bucket } = standIns;
  const body = JSON.stringify({
    version: '0',
    id: uuid(`event\n${idOf(job)}`),
    'detail-type': mailEventType,
    source: mailEventSource,
    account,
    time: `${event.receivedAt.slice(0, 19)}Z`,
    region,
    resources: [],
    detail: { ...event, bucket },
  });
  const record = {
    messageId: uuid(idOf(job)),
    receiptHandle: Buffer.from(`${idOf(job)}\n${attempt}`).toString('base64'),
    body,
    attributes: {
      ApproximateReceiveCount: String(attempt),
      SentTimestamp: String(Date.parse(createdAt)),
      SenderId: account,
      ApproximateFirstReceiveTimestamp: String(attempt === 1 ? nowMs : Date.parse(createdAt)),
    },
    messageAttributes: {},
    md5OfBody: createHash('md5').update(body).digest('hex'),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:${region}:${account}:${hook}`,
    awsRegion: region,
  };
  return { Records: [record] };
}

function idOf({ hook, key, createdAt }: NotifyJob): string {
  return `${hook}\n${key}\n${createdAt}`;
}

/** The same for the same text. */
function uuid(of: string): string {
  const hex = createHash('sha256').update(of).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
