// The dead letters of a queue on SQS: counted, shown, redriven, purged.
import { setTimeout as wait } from 'node:timers/promises';
import {
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  PurgeQueueCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { createSqsReceiver, type SqsEventRecord, type SqsReceiver } from './sqs-receiver.ts';

/** A queue and the queue of its dead letters. */
export type QueuePair = { readonly url: string; readonly deadUrl: string };

export type DeadLetters = {
  /** The jobs of any queue, by URL. SQS only estimates. */
  readonly counts: (url: string) => Promise<QueueSizes>;
  /** At most `limit`; they stay on their queue. */
  readonly peek: (queue: QueuePair, limit: number) => Promise<readonly SqsEventRecord[]>;
  /** Answers how many were moved. */
  readonly redrive: (queue: QueuePair) => Promise<number>;
  /** Answers how many were deleted. */
  readonly purge: (queue: QueuePair) => Promise<number>;
};

export type QueueSizes = { readonly ready: number; readonly delayed: number; readonly inFlight: number };

const pollMs = 500;

/** `sqs` must allow requests that wait. `tell` gets the progress of long work, as a sentence. */
export function createDeadLetters({
  sqs,
  region,
  tell,
}: {
  readonly sqs: SQSClient;
  readonly region: string;
  readonly tell: (sentence: string) => void;
}): DeadLetters {
  const receiverOf = (url: string): SqsReceiver => createSqsReceiver({ sqs, queueUrl: url, queueArn: '', region });
  const counts = (url: string) => sizes(sqs, url);
  return {
    counts,
    peek: ({ deadUrl }, limit) => peek(receiverOf(deadUrl), limit),
    redrive: async (queue) => {
      const sourceArn = await arnOf(sqs, queue.deadUrl);
      const started = await startMove(sqs, sourceArn, await arnOf(sqs, queue.url));
      if (started) return follow(sqs, sourceArn, tell);
      return moveByHand(receiverOf(queue.deadUrl), queue.url, (await counts(queue.deadUrl)).ready);
    },
    purge: async ({ deadUrl }) => {
      const { ready, delayed, inFlight } = await counts(deadUrl);
      await sqs.send(new PurgeQueueCommand({ QueueUrl: deadUrl }));
      return ready + delayed + inFlight;
    },
  };
}

async function sizes(sqs: SQSClient, url: string): Promise<QueueSizes> {
  const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }));
  const count = (of: '' | 'Delayed' | 'NotVisible') => Number(Attributes[`ApproximateNumberOfMessages${of}`] ?? 0);
  return { ready: count(''), delayed: count('Delayed'), inFlight: count('NotVisible') };
}

async function arnOf(sqs: SQSClient, url: string): Promise<string> {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }));
  return Attributes?.QueueArn ?? '';
}

/** Receives and releases them at once: SQS has no other way to read them. */
async function peek(receiver: SqsReceiver, limit: number): Promise<readonly SqsEventRecord[]> {
  const seen = new Map<string, SqsEventRecord>();
  try {
    while (seen.size < limit) {
      const records = await receiver.receive({ max: Math.min(10, limit - seen.size), waitSeconds: 1 });
      if (records.length === 0) break;
      for (const record of records) seen.set(record.messageId, record);
    }
  } finally {
    const held = [...seen.values()];
    for (let at = 0; at < held.length; at += 10) await receiver.release(held.slice(at, at + 10), 0);
  }
  return [...seen.values()];
}

/** False if this SQS (an emulator) has no such operation. */
async function startMove(sqs: SQSClient, SourceArn: string, DestinationArn: string): Promise<boolean> {
  try {
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn, DestinationArn }));
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && /InvalidAction|UnknownOperation/.test(`${thrown.name} ${thrown.message}`)) {
      return false;
    }
    throw thrown;
  }
}

/** SQS moves them by itself; this waits for the end. */
async function follow(sqs: SQSClient, SourceArn: string, tell: (sentence: string) => void): Promise<number> {
  let told = -1;
  for (;;) {
    const { Results = [] } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 1 }));
    const [task] = Results;
    const moved = task?.ApproximateNumberOfMessagesMoved ?? 0;
    if (task?.Status === 'FAILED') throw new Error(`SQS stopped after ${moved}: ${task.FailureReason ?? 'no reason'}`);
    if (task?.Status !== 'RUNNING') return moved;
    if (moved !== told) tell(`${moved} of ${task.ApproximateNumberOfMessagesToMove ?? '?'} moved`);
    told = moved;
    await wait(pollMs);
  }
}

/** At most `most`, those that are there at the start: one that dies again meanwhile would be moved for ever. */
async function moveByHand(receiver: SqsReceiver, url: string, most: number): Promise<number> {
  let count = 0;
  while (count < most) {
    const records = await receiver.receive({ max: Math.min(10, most - count), waitSeconds: 0 });
    if (records.length === 0) break;
    for (const record of records) await receiver.forward(record, url);
    await receiver.remove(records);
    count += records.length;
  }
  return count;
}
