// A Lambda invocation by SQS: reads each record's job, hands it to the stage, and answers which records failed, so that
// only those come back. A job that is early is sent on and is done; so is one that waits for a fault of ours, anew and
// uncounted. A record that is no job fails and so becomes a dead letter, where a person sees it. A job handed out more often
// than it may be run is run no more: its sender is told, and it fails until SQS moves it to the dead letters.
import { z } from 'zod';
import { type JobOf, jobSchemas } from '#pipeline/contract/jobs.ts';
import type { Clock, ConfigSource, Handout, JobSender, Log, Metrics } from '#pipeline/contract/ports.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { givenUpJobs } from '#pipeline/run/given-up-jobs.ts';
import { type Fate, judgeFailure, lifeEnd, usualPatience } from '#pipeline/run/judge-failure.ts';
import { faultsAttribute, groupAttribute, notBeforeAttribute } from './sqs-sender.ts';

/** Jobs of one invocation that run at once. */
const concurrency = 10;

const attributeSchema = z.object({ stringValue: z.string().optional() });
const recordSchema = z.object({
  messageId: z.string(),
  body: z.string(),
  attributes: z.object({
    ApproximateReceiveCount: z.coerce.number().int().positive(),
    MessageGroupId: z.string().optional(),
  }),
  messageAttributes: z.record(z.string(), attributeSchema).default({}),
  /** Ends in the queue's name. */
  eventSourceARN: z.string().optional(),
});
const eventSchema = z.object({ Records: z.array(recordSchema) });

/** One message as Lambda gives it; what is needed of it. */
export type SqsRecord = z.infer<typeof recordSchema>;

/** What Lambda wants to hear (ReportBatchItemFailures). */
export type BatchAnswer = { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

/** How the jobs of an event are done. `jobs` sends on what came early, what waits for us, and what tells the sender of a dead letter. */
export type Consumer<Queue extends QueueName> = {
  readonly queue: Queue;
  /** Hand-outs of one job that are run; SQS must hand it out a few times more before it moves it to the dead letters. */
  readonly maxReceives: number;
  readonly run: (job: JobOf<Queue>, handout: Handout) => Promise<{ readonly outcome: string }>;
  readonly jobs: JobSender;
  readonly config: ConfigSource;
  /** 0 to 1. */
  readonly random: () => number;
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

/** What is known of one hand-out: of the job where it could be read, of its way here from the record's attributes. */
type HandedOut<Queue extends QueueName> = {
  readonly record: SqsRecord;
  readonly job: JobOf<Queue> & JobOf<QueueName>;
  readonly receiveCount: number;
  readonly faults: number;
  readonly group: string | undefined;
};

async function isDone<Queue extends QueueName>(record: SqsRecord, consumer: Consumer<Queue>): Promise<boolean> {
  const { queue, metrics, clock } = consumer;
  const receiveCount = record.attributes.ApproximateReceiveCount;
  const startedAt = clock();
  let handedOut: HandedOut<Queue> | null = null;
  try {
    const job = jobOf(queue, record.body);
    const group = record.messageAttributes[groupAttribute]?.stringValue ?? record.attributes.MessageGroupId;
    const faults = Number(record.messageAttributes[faultsAttribute]?.stringValue ?? 0);
    handedOut = { record, job, receiveCount, faults, group };
    if (receiveCount > consumer.maxReceives) return await tellOfDeath(consumer, handedOut, spent(consumer.maxReceives));
    const notBefore = record.messageAttributes[notBeforeAttribute]?.stringValue;
    if (notBefore !== undefined && Date.parse(notBefore) > clock()) {
      await sendOn(consumer, handedOut, { notBefore, ...(faults === 0 ? {} : { faults }) });
      metrics.count('job-hops', { queue });
      return true;
    }
    const { outcome } = await consumer.run(job, { receiveCount, faults });
    metrics.count('jobs', { queue, outcome });
    metrics.measure('job-seconds', (clock() - startedAt) / 1_000, { queue });
    return true;
  } catch (thrown) {
    return answerFailure(consumer, { record, receiveCount, handedOut }, thrown);
  }
}

/** Whether the record is done with all the same. Never throws: what cannot be done now is done at the next hand-out. */
async function answerFailure<Queue extends QueueName>(
  consumer: Consumer<Queue>,
  failed: {
    readonly record: SqsRecord;
    readonly receiveCount: number;
    readonly handedOut: HandedOut<Queue> | null;
  },
  thrown: unknown,
): Promise<boolean> {
  const { queue, log, metrics } = consumer;
  const { record, receiveCount, handedOut } = failed;
  const facts = { queue, id: handedOut?.job.id ?? null, messageId: record.messageId, receiveCount };
  try {
    const fate = handedOut === null ? null : await fateOf(consumer, handedOut, thrown);
    if (handedOut !== null && fate?.fate === 'waits') {
      const retryAt = new Date(fate.retryAt).toISOString();
      const faults = handedOut.faults + 1;
      await sendOn(consumer, handedOut, { notBefore: retryAt, faults });
      log.error('job-waits-for-us', { ...facts, fault: fate.kind, reason: fate.reason, retryAt, faults });
      metrics.count('own-faults', { kind: fate.kind });
      metrics.count('jobs', { queue, outcome: 'waits' });
      return true;
    }
    log.error('job-failed', { ...facts, ...errorFields(thrown) });
    metrics.count('jobs', { queue, outcome: 'failed' });
    // The last run, or one that no other can mend: who wrote the message is told at once, and told once however often.
    return handedOut !== null && fate?.fate === 'dies' ? await tellOfDeath(consumer, handedOut, fate.reason) : false;
  } catch (again) {
    log.error('job-not-sent-on', { ...facts, ...errorFields(again) });
    metrics.count('own-faults', { kind: 'queue' });
    return false;
  }
}

async function fateOf<Queue extends QueueName>(
  { config, clock, random, maxReceives }: Consumer<Queue>,
  { job, receiveCount, faults }: HandedOut<Queue>,
  thrown: unknown,
): Promise<Fate> {
  const patience = await config.current().then(
    ({ delivery }) => delivery,
    () => usualPatience,
  );
  const failure = { thrown, receiveCount, faults, maxReceives, lifeEndsAt: lifeEnd(job, patience) };
  return judgeFailure(failure, { now: clock(), random: random(), patience });
}

async function sendOn<Queue extends QueueName>(
  { queue, jobs }: Consumer<Queue>,
  { job, group }: HandedOut<Queue>,
  options: { readonly notBefore: string; readonly faults?: number },
): Promise<void> {
  await jobs.send(queue, job, { ...options, ...(group === undefined ? {} : { group }) });
}

/** False: the record fails, until SQS has handed it out often enough to move it to the dead letters. */
async function tellOfDeath<Queue extends QueueName>(
  { queue, jobs, clock, log }: Consumer<Queue>,
  { job, receiveCount }: HandedOut<Queue>,
  reason: string,
): Promise<false> {
  for (const told of givenUpJobs(queue, job, { reason, nowMs: clock() })) {
    await jobs.send('deliver', told, { group: told.domain });
  }
  log.error('job-dead', { queue, id: job.id, receiveCount, error: reason });
  return false;
}

function spent(maxReceives: number): string {
  return `none of ${maxReceives} runs was the last: each failed, or the function ended in it; the log of the stage says why`;
}

function jobOf<Queue extends QueueName>(queue: Queue, body: string): JobOf<Queue> & JobOf<QueueName>;
function jobOf(queue: QueueName, body: string): unknown {
  const parsed = jobSchemas[queue].safeParse(JSON.parse(body));
  if (parsed.success) return parsed.data;
  throw new Error(`not a job of queue "${queue}": ${z.prettifyError(parsed.error)}`);
}
