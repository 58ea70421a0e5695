// A Lambda invocation by SQS: reads each record's job, hands it to the stage, and answers which records failed, so that
// only those come back. A job that is early is sent on and is done; a record that is no job fails and so becomes a dead
// letter, where a person sees it.
import { z } from 'zod';
import { type JobOf, jobSchemas, type QueueName } from './jobs.ts';
import { errorFields } from './log.ts';
import type { Clock, Handout, JobSender, Log, Metrics } from './ports.ts';
import { groupAttribute, notBeforeAttribute } from './sqs-sender.ts';

/** Jobs of one invocation that run at once. */
const concurrency = 10;

const attributeSchema = z.object({ stringValue: z.string().optional() });
const recordSchema = z.object({
  messageId: z.string(),
  body: z.string(),
  attributes: z.object({ ApproximateReceiveCount: z.coerce.number().int().positive() }),
  messageAttributes: z.record(z.string(), attributeSchema).default({}),
  /** Ends in the queue's name. */
  eventSourceARN: z.string().optional(),
});
const eventSchema = z.object({ Records: z.array(recordSchema) });

/** One message as Lambda gives it; what is needed of it. */
export type SqsRecord = z.infer<typeof recordSchema>;

/** What Lambda wants to hear (ReportBatchItemFailures). */
export type BatchAnswer = { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

/** How the jobs of an event are done. `jobs` sends on what came early. */
export type Consumer<Queue extends QueueName> = {
  readonly queue: Queue;
  readonly run: (job: JobOf<Queue>, handout: Handout) => Promise<{ readonly outcome: string }>;
  readonly jobs: JobSender;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Says which of several queues an event is of: all its records are of one. False where it does not tell. */
export function isEventOf(event: unknown, queue: QueueName): boolean {
  const [record] = eventSchema.safeParse(event).data?.Records ?? [];
  const name = record?.eventSourceARN?.split(':').at(-1) ?? '';
  return name === queue || name.endsWith(`-${queue}`);
}

/** Does all jobs of an event. Throws only where the event is none of SQS. */
export async function consumeSqsEvent<Queue extends QueueName>(
  event: unknown,
  consumer: Consumer<Queue>,
): Promise<BatchAnswer> {
  const { Records } = eventSchema.parse(event);
  const failed: { itemIdentifier: string }[] = [];
  const waiting = [...Records];
  const work = async (): Promise<void> => {
    for (let record = waiting.shift(); record !== undefined; record = waiting.shift()) {
      if (!(await isDone(record, consumer))) failed.push({ itemIdentifier: record.messageId });
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, Records.length) }, work));
  return { batchItemFailures: failed };
}

async function isDone<Queue extends QueueName>(record: SqsRecord, consumer: Consumer<Queue>): Promise<boolean> {
  const { queue, log, metrics, clock } = consumer;
  const receiveCount = record.attributes.ApproximateReceiveCount;
  const startedAt = clock();
  let id: string | null = null;
  try {
    const job = jobOf(queue, record.body);
    id = job.id;
    const notBefore = record.messageAttributes[notBeforeAttribute]?.stringValue;
    if (notBefore !== undefined && Date.parse(notBefore) > clock()) {
      const group = record.messageAttributes[groupAttribute]?.stringValue;
      await consumer.jobs.send(queue, job, { notBefore, ...(group === undefined ? {} : { group }) });
      metrics.count('job-hops', { queue });
      return true;
    }
    const { outcome } = await consumer.run(job, { receiveCount });
    metrics.count('jobs', { queue, outcome });
    metrics.measure('job-seconds', (clock() - startedAt) / 1_000, { queue });
    return true;
  } catch (thrown) {
    log.error('job-failed', { queue, id, messageId: record.messageId, receiveCount, ...errorFields(thrown) });
    metrics.count('jobs', { queue, outcome: 'failed' });
    return false;
  }
}

function jobOf<Queue extends QueueName>(queue: Queue, body: string): JobOf<Queue>;
function jobOf(queue: QueueName, body: string): unknown {
  const parsed = jobSchemas[queue].safeParse(JSON.parse(body));
  if (parsed.success) return parsed.data;
  throw new Error(`not a job of queue "${queue}": ${z.prettifyError(parsed.error)}`);
}
