// A Lambda invocation by SQS: runs each record's job (pipeline/run/run-job.ts), and answers which records failed, so that
// only those come back, after seconds. A job that is to come later without being counted is sent anew, and its record is
// done. A dead letter's sender gets a report, and its record fails until SQS moves it; so does a job that was received more
// often than it may be run.
import { z } from 'zod';
import type { JobSender } from '#pipeline/contract/ports.ts';
import { lanesOf, type QueueName, type Stage } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import type { EmfMetrics } from '#pipeline/observe/metrics.ts';
import { waitSeconds } from '#pipeline/run/judge-failure.ts';
import {
  type HandedOut,
  type JobAnswer,
  type RunJobDeps,
  type RunStage,
  runJob,
  type StageRuns,
} from '#pipeline/run/run-job.ts';
import { createJobsUnderWay, type JobsUnderWay } from './jobs-under-way.ts';
import type { VisibilityChanger } from './sqs-receiver.ts';
import { faultsAttribute, groupAttribute, notBeforeAttribute } from './sqs-sender.ts';

/** Jobs of one invocation that run at once. */
const concurrency = 10;
const noneLeft = (runs: number): string =>
  `none of ${runs} runs was the last: each failed, or the function ended in it; the log of the stage says why`;

const recordSchema = z.object({
  messageId: z.string(),
  receiptHandle: z.string(),
  body: z.string(),
  attributes: z.object({
    ApproximateReceiveCount: z.coerce.number().int().positive(),
    MessageGroupId: z.string().optional(),
  }),
  messageAttributes: z.record(z.string(), z.object({ stringValue: z.string().optional() })).default({}),
  /** Ends in the queue's name. */
  eventSourceARN: z.string().optional(),
});
const eventSchema = z.object({ Records: z.array(recordSchema) });

type SqsRecord = z.infer<typeof recordSchema>;

/** Lambda's ReportBatchItemFailures. */
export type BatchAnswer = { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

/** `jobs` takes what comes later, and the report to the sender of a dead letter. */
export type ConsumerDeps = RunJobDeps & {
  readonly jobs: JobSender;
  readonly changeVisibility: VisibilityChanger;
  /** Counts the jobs that run, for whoever gathers what they send. */
  readonly underWay?: JobsUnderWay;
};

export type Consumer<Queue extends QueueName> = ConsumerDeps & {
  readonly queue: Queue;
  readonly stage: Stage;
  readonly run: RunStage<Queue>;
};

/** A stage's handler. `runsOf` is asked at each invocation; it answers for every queue that the stage reads. */
export function createEventHandler(
  deps: ConsumerDeps & { readonly metrics: EmfMetrics },
  stage: Stage,
  runsOf: () => Partial<StageRuns>,
): (event: unknown) => Promise<BatchAnswer> {
  const consume = async <Queue extends QueueName>(event: unknown, queue: Queue): Promise<BatchAnswer> => {
    const run: RunStage<Queue> | undefined = runsOf()[queue];
    if (run === undefined) throw new Error(`stage ${stage.name} does not read queue ${queue}`);
    return consumeSqsEvent(event, { ...deps, queue, stage, run });
  };
  return async (event) => {
    const { consumes } = lanesOf(stage).find((lane) => isEventOf(event, lane.consumes)) ?? stage;
    try {
      return await consume(event, consumes);
    } finally {
      deps.metrics.flush();
    }
  };
}

/** Whether an event is of this queue: all its records are of one. */
function isEventOf(event: unknown, queue: QueueName): boolean {
  const [record] = eventSchema.safeParse(event).data?.Records ?? [];
  const name = record?.eventSourceARN?.split(':').at(-1) ?? '';
  return name === queue || name.endsWith(`-${queue}`);
}

/** Throws only if the event is none of SQS. */
export async function consumeSqsEvent<Queue extends QueueName>(
  event: unknown,
  consumer: Consumer<Queue>,
): Promise<BatchAnswer> {
  const { Records } = eventSchema.parse(event);
  const failed: { itemIdentifier: string }[] = [];
  const waiting = [...Records];
  const { underWay = createJobsUnderWay() } = consumer;
  const work = async (): Promise<void> => {
    for (let record = waiting.shift(); record !== undefined; record = waiting.shift()) {
      const run = async () => isDone(consumer, record);
      if (!(await underWay.during(run))) failed.push({ itemIdentifier: record.messageId });
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, Records.length) }, work));
  return { batchItemFailures: failed };
}

/** Never throws: what cannot be answered now is answered when the record comes back. */
async function isDone<Queue extends QueueName>(consumer: Consumer<Queue>, record: SqsRecord): Promise<boolean> {
  const { queue, stage, log, metrics, random } = consumer;
  const answer = await runJob(consumer, { ...consumer, limitSeconds: null }, handedOutBy(record, stage));
  try {
    return await answerQueue(consumer, record, answer);
  } catch (thrown) {
    log.error('job-not-sent-on', { queue, messageId: record.messageId, ...errorFields(thrown) });
    metrics.count('own-faults', { kind: 'queue' });
    const failures = record.attributes.ApproximateReceiveCount - 1;
    return comesBack(consumer, record, waitSeconds(stage.backOff, failures, random()));
  }
}

function handedOutBy({ messageId, body, attributes, messageAttributes }: SqsRecord, { maxReceives }: Stage): HandedOut {
  const receiveCount = attributes.ApproximateReceiveCount;
  return {
    body,
    receiveCount,
    faults: Number(messageAttributes[faultsAttribute]?.stringValue ?? 0),
    notBefore: messageAttributes[notBeforeAttribute]?.stringValue,
    spent: receiveCount > maxReceives ? noneLeft(maxReceives) : null,
    named: { messageId },
  };
}

/** Whether the record is done; false: it fails. Throws if SQS does not take what is to be sent. */
async function answerQueue<Queue extends QueueName>(
  consumer: Consumer<Queue>,
  record: SqsRecord,
  answer: JobAnswer<Queue>,
): Promise<boolean> {
  const { queue, stage, jobs } = consumer;
  const { attributes, messageAttributes } = record;
  switch (answer.answer) {
    case 'done':
      return true;
    case 'later': {
      const { job, notBefore, faults } = answer;
      const group = messageAttributes[groupAttribute]?.stringValue ?? attributes.MessageGroupId;
      await jobs.send(queue, job, {
        notBefore,
        ...(faults === 0 ? {} : { faults }),
        ...(group === undefined ? {} : { group }),
      });
      return true;
    }
    case 'unreadable':
      return false; // Hidden for the whole timeout: in the middle of a deployment the next version of this function may read it.
    case 'dead':
      for (const report of answer.tell) await jobs.send('deliver', report, { group: report.domain });
  }
  return comesBack(consumer, record, answer.answer === 'again' ? answer.delaySeconds : stage.backOff.firstSeconds);
}

/** Always false: the record fails. It comes back after the delay, or when its visibility timeout ends if that cannot be changed. */
async function comesBack<Queue extends QueueName>(
  { queue, changeVisibility, log }: Consumer<Queue>,
  { receiptHandle, messageId }: SqsRecord,
  delaySeconds: number,
): Promise<false> {
  await changeVisibility(queue, receiptHandle, delaySeconds).catch((thrown: unknown) => {
    log.warn('job-hidden-longer', { queue, messageId, ...errorFields(thrown) });
  });
  return false;
}
