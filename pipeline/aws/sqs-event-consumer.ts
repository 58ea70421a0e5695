// A Lambda invocation by SQS: runs each record's job (pipeline/run/run-job.ts), and answers which records failed, so that
// only those come back, after seconds. A job that is to come later without being counted is sent anew, and its record is
// done. A dead letter's sender gets a report, and its record is moved to the dead letters, once; so is a job that was
// handed out more often than it may be. Each job of a pack has its own outcome: one that is not done is put back alone.
import { setTimeout as pause } from 'node:timers/promises';
import type { JobSender } from '#pipeline/contract/ports.ts';
import { lanesOf, type QueueName, type Stage, visibilitySeconds } from '#pipeline/contract/stages.ts';
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
import { createJobsUnderWay, type JobsUnderWay } from './coalescer.ts';
import { type HeldBatch, holdBatch } from './hold-batch.ts';
import { packedJobs } from './pack.ts';
import {
  type DeadLetterMover,
  eventSchema,
  groupOf,
  handOutsOf,
  type SqsRecord,
  type VisibilityChanger,
} from './sqs-receiver.ts';
import { faultsAttribute, type JobReturner, notBeforeAttribute } from './sqs-sender.ts';

/** Jobs of one invocation that run at once. */
const concurrency = 10;
/** An invocation is answered so long before Lambda would end it. */
const answerSeconds = 8;
/** A record that was received before has so long for itself. */
const apartMs = 2_000;
const noneLeft = (handOuts: number): string =>
  `it was handed out ${handOuts} times without an answer: the function ended in each run, or could not be called; the log of the stage says why`;

/** Lambda's ReportBatchItemFailures. */
export type BatchAnswer = { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

/** `jobs` takes what comes later, and the report to the sender of a dead letter. */
export type ConsumerDeps = RunJobDeps & {
  readonly jobs: JobSender;
  readonly putBack: JobReturner;
  readonly changeVisibility: VisibilityChanger;
  readonly moveToDeadLetters: DeadLetterMover;
  /** Counts the jobs that run, for whoever gathers what they send. */
  readonly underWay?: JobsUnderWay;
};

export type Consumer<Queue extends QueueName> = ConsumerDeps & {
  readonly queue: Queue;
  readonly stage: Stage;
  readonly run: RunStage<Queue>;
};

/** While a batch is run. `endsAt`: when it is to be answered, by `performance.now()`. */
type Holding<Queue extends QueueName> = Consumer<Queue> &
  Pick<HeldBatch, 'letGo'> & { readonly endsAt: number; readonly underWay: JobsUnderWay };

/** Lets a job come again after some seconds; answers whether its message is done with it. */
type ComeAgain = (delaySeconds: number) => Promise<boolean>;

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
  const { underWay = createJobsUnderWay() } = consumer;
  const handles = Records.map(({ receiptHandle }) => receiptHandle);
  const held = await holdBatch(consumer, handles, { fromStart: isToBeHeld(consumer, Records) });
  const endsAt = performance.now() + (consumer.stage.timeoutSeconds - answerSeconds) * 1_000;
  const holding = { ...consumer, letGo: held.letGo, endsAt, underWay };
  const failed: { itemIdentifier: string }[] = [];
  const run = async (record: SqsRecord): Promise<void> => {
    const pack = packedJobs(record.body);
    const wasDone = await (pack === null ? isDone(holding, record) : isPackDone(holding, record, pack));
    if (!wasDone) failed.push({ itemIdentifier: record.messageId });
  };
  const suspects = Records.filter(wasReceivedBefore);
  const fresh = Records.filter((record) => !wasReceivedBefore(record));
  try {
    await Promise.all([runAll(fresh, run), runApart(shuffled(suspects, consumer.random), run)]);
  } finally {
    held.end();
  }
  return { batchItemFailures: failed };
}

function wasReceivedBefore(record: SqsRecord): boolean {
  return handOutsOf(record) > 1;
}

/**
 * Whether a batch is held from the beginning. Most are not: their records are new, and their queue hides them for as long as a run may
 * take, a minute. It is, where that is long (`connectsOut`), where a record may have ended a function before, and where Lambda was
 * throttled and had the batch for so long that the queue would hand it out again in the middle of the run.
 */
function isToBeHeld({ stage, clock }: Pick<Consumer<QueueName>, 'stage' | 'clock'>, records: readonly SqsRecord[]) {
  const usualMs = (visibilitySeconds(stage) - stage.timeoutSeconds) * 1_000;
  const isLate = ({ attributes: { ApproximateFirstReceiveTimestamp: at } }: SqsRecord) =>
    at !== undefined && clock() - at > usualMs;
  return stage.connectsOut || records.some((record) => wasReceivedBefore(record) || isLate(record));
}

async function runAll(records: readonly SqsRecord[], run: (record: SqsRecord) => Promise<void>): Promise<void> {
  const waiting = [...records];
  const work = async (): Promise<void> => {
    for (let record = waiting.shift(); record !== undefined; record = waiting.shift()) await run(record);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, records.length) }, work));
}

/**
 * A record that was received before may have ended its function, and would take those beside it along. That happens moments after it
 * begins: so each begins when those before it are done, or after a while.
 */
async function runApart(records: readonly SqsRecord[], run: (record: SqsRecord) => Promise<void>): Promise<void> {
  const running: Promise<void>[] = [];
  for (const record of records) {
    const patience = new AbortController();
    const over = pause(apartMs, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([Promise.all(running), over]);
    patience.abort();
    running.push(run(record));
  }
  await Promise.all(running);
}

function shuffled<Item>(items: readonly Item[], random: () => number): readonly Item[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}

/** Never throws: what cannot be answered now is answered when the record comes back. */
async function isDone<Queue extends QueueName>(consumer: Holding<Queue>, record: SqsRecord): Promise<boolean> {
  const comeAgain: ComeAgain = (delaySeconds) => comesBack(consumer, record, delaySeconds);
  try {
    return await consumer.underWay.during(() => runRecord(consumer, record, comeAgain));
  } catch (thrown) {
    return notSentOn(consumer, record, thrown);
  }
}

/**
 * The same for a pack. One that was received before may have ended its function: its jobs come again as messages of their own. What is
 * not done is put back before the pack is; if that fails the pack comes back, and what was done is done twice, which changes nothing.
 */
async function isPackDone<Queue extends QueueName>(
  consumer: Holding<Queue>,
  record: SqsRecord,
  bodies: readonly string[],
): Promise<boolean> {
  const { queue, stage, underWay, putBack } = consumer;
  const handOuts = handOutsOf(record);
  const isToBeSplit = handOuts > 1 && handOuts <= stage.maxHandOuts;
  const settle = (body: string): Promise<boolean> => {
    const returned = { body, group: groupOf(record) };
    if (isToBeSplit) return putBack(queue, { ...returned, delaySeconds: 0, handOuts: handOuts - 1 }).then(() => true);
    return runRecord(consumer, { ...record, body }, async (delaySeconds) => {
      await putBack(queue, { ...returned, delaySeconds, handOuts });
      return true;
    });
  };
  const settled = await Promise.allSettled(bodies.map((body) => underWay.during(() => settle(body))));
  const failure = settled.find(({ status }) => status === 'rejected');
  return failure?.status === 'rejected' ? notSentOn(consumer, record, failure.reason) : true;
}

/** SQS did not take what was to be sent: the record comes back. */
function notSentOn<Queue extends QueueName>(
  consumer: Holding<Queue>,
  record: SqsRecord,
  thrown: unknown,
): Promise<false> {
  const { queue, stage, log, metrics, random } = consumer;
  log.error('job-not-sent-on', { queue, messageId: record.messageId, ...errorFields(thrown) });
  metrics.count('own-faults', { kind: 'queue' });
  return comesBack(consumer, record, waitSeconds(stage.backOff, handOutsOf(record) - 1, random()));
}

/** Runs its job, and answers whether the record is done. Throws if SQS does not take what is to be sent. */
async function runRecord<Queue extends QueueName>(
  consumer: Holding<Queue>,
  record: SqsRecord,
  comeAgain: ComeAgain,
): Promise<boolean> {
  const { stage } = consumer;
  // A run of many slow messages answers for those that are done; deliver knows by itself when its run ends.
  const limitSeconds = stage.connectsOut ? null : (consumer.endsAt - performance.now()) / 1_000;
  const answer = await runJob(consumer, { ...consumer, limitSeconds }, handedOutBy(record, stage));
  return answerQueue(consumer, { record, comeAgain }, answer);
}

function handedOutBy(record: SqsRecord, { maxHandOuts }: Stage): HandedOut {
  const { messageId, body, messageAttributes } = record;
  const receiveCount = handOutsOf(record);
  return {
    body,
    receiveCount,
    faults: Number(messageAttributes[faultsAttribute]?.stringValue ?? 0),
    notBefore: messageAttributes[notBeforeAttribute]?.stringValue,
    spent: receiveCount > maxHandOuts ? noneLeft(maxHandOuts) : null,
    named: { messageId },
  };
}

/** Whether the record is done; false: it fails. Throws if SQS does not take what is to be sent. */
async function answerQueue<Queue extends QueueName>(
  { queue, stage, jobs, moveToDeadLetters }: Holding<Queue>,
  { record, comeAgain }: { readonly record: SqsRecord; readonly comeAgain: ComeAgain },
  answer: JobAnswer<Queue>,
): Promise<boolean> {
  const handOuts = handOutsOf(record);
  switch (answer.answer) {
    case 'done':
      return true;
    case 'later': {
      const { job, notBefore, faults } = answer;
      const group = groupOf(record);
      await jobs.send(queue, job, {
        notBefore,
        ...(faults === 0 ? {} : { faults }),
        ...(group === undefined ? {} : { group }),
      });
      return true;
    }
    case 'again':
      return comeAgain(answer.delaySeconds);
    case 'unreadable':
      // In the middle of a deployment the next version of this function may read it.
      if (handOuts < stage.maxReceives) return comeAgain(stage.backOff.longestSeconds);
      await moveToDeadLetters(queue, record, { reason: answer.reason, handOuts });
      return true;
    case 'dead':
      for (const report of answer.tell) await jobs.send('deliver', report, { group: report.domain });
      await moveToDeadLetters(queue, record, { reason: answer.reason, handOuts });
      return true;
  }
}

/** Always false: the record fails. It comes back after the delay, or when its visibility timeout ends if that cannot be changed. */
async function comesBack<Queue extends QueueName>(
  { queue, changeVisibility, letGo, log }: Holding<Queue>,
  { receiptHandle, messageId }: SqsRecord,
  delaySeconds: number,
): Promise<false> {
  letGo(receiptHandle);
  await changeVisibility(queue, [{ receiptHandle, seconds: delaySeconds }]).catch((thrown: unknown) => {
    log.warn('job-hidden-longer', { queue, messageId, ...errorFields(thrown) });
  });
  return false;
}
