// Receives jobs from an SQS queue as Lambda does: records in the shape of an SQSEvent, deleted when done. On AWS Lambda does
// this itself; the emulator world and the command line need it.
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { deadLetterQueue, type QueueName } from '#pipeline/contract/stages.ts';
import { earlierAttribute, groupAttribute, handOutsAttribute, reasonAttribute } from './sqs-sender.ts';

export type SqsEventRecord = {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, SqsEventAttribute>>;
  readonly md5OfBody: string;
  readonly eventSource: 'aws:sqs';
  readonly eventSourceARN: string;
  readonly awsRegion: string;
};

type SqsEventAttribute = {
  readonly stringValue?: string;
  readonly stringListValues: readonly string[];
  readonly binaryListValues: readonly string[];
  readonly dataType: string;
};

const recordSchema = z.object({
  messageId: z.string(),
  receiptHandle: z.string(),
  body: z.string(),
  attributes: z.object({
    ApproximateReceiveCount: z.coerce.number().int().positive(),
    ApproximateFirstReceiveTimestamp: z.coerce.number().optional(),
    MessageGroupId: z.string().optional(),
  }),
  messageAttributes: z.record(z.string(), z.object({ stringValue: z.string().optional() })).default({}),
  /** Ends in the queue's name. */
  eventSourceARN: z.string().optional(),
});
/** What a function is called with. */
export const eventSchema = z.object({ Records: z.array(recordSchema) });

/** A record of it, as far as it is read. */
export type SqsRecord = z.infer<typeof recordSchema>;

/** How often it was handed out, in a pack too. */
export function handOutsOf({ attributes, messageAttributes }: SqsRecord): number {
  return attributes.ApproximateReceiveCount + Number(messageAttributes[earlierAttribute]?.stringValue ?? 0);
}

/** The fair-queue group that its job was sent with. */
export function groupOf({ attributes, messageAttributes }: SqsRecord): string | undefined {
  return messageAttributes[groupAttribute]?.stringValue ?? attributes.MessageGroupId;
}

export type SqsReceiver = {
  /** At most ten records; waits up to `waitSeconds` (20 at most) for the first. */
  readonly receive: (terms: {
    readonly max: number;
    readonly waitSeconds: number;
    readonly signal?: AbortSignal;
  }) => Promise<readonly SqsEventRecord[]>;
  /** Throws if SQS did not delete one. */
  readonly remove: (records: readonly SqsEventRecord[]) => Promise<void>;
  /** They come back after some seconds, rather than when their visibility timeout ends. */
  readonly release: (records: readonly SqsEventRecord[], delaySeconds: number) => Promise<void>;
  /** Puts a record on another queue as it is, with a fresh count. */
  readonly forward: (record: SqsEventRecord, queueUrl: string) => Promise<void>;
};

/** `sqs` must allow requests that wait (createPollingSqsClient). */
export function createSqsReceiver({
  sqs,
  queueUrl,
  queueArn,
  region,
}: {
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly region: string;
}): SqsReceiver {
  return {
    receive: async ({ max, waitSeconds, signal }) => {
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(max, 10),
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      });
      const { Messages = [] } = await sqs.send(command, signal ? { abortSignal: signal } : {});
      return Messages.map((message) => recordOf(message, { queueArn, region }));
    },
    remove: async (records) => {
      if (records.length === 0) return;
      const Entries = records.map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }));
      const { Failed = [] } = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
      if (Failed[0]) throw new Error(`SQS did not delete ${Failed.length} messages: ${Failed[0].Code}`);
    },
    release: async (records, delaySeconds) => {
      if (records.length === 0) return;
      const Entries = records.map(({ receiptHandle }, index) => ({
        Id: String(index),
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: delaySeconds,
      }));
      const { Failed = [] } = await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries }));
      if (Failed[0]) throw new Error(`SQS did not release ${Failed.length} messages: ${Failed[0].Code}`);
    },
    forward: (record, target) => forward(sqs, record, target),
  };
}

/** A received record, and how long it stays hidden from now on. */
export type HiddenRecord = { readonly receiptHandle: string; readonly seconds: number };

/** Received records, ten at most, come back after some seconds, rather than when their queue's visibility timeout ends. */
export type VisibilityChanger = (queue: QueueName, records: readonly HiddenRecord[]) => Promise<void>;

/** `queueUrls` holds the queues this process reads. Rejects with the SDK's error, or if SQS did not do it for one of them. */
export function createVisibilityChanger(
  sqs: SQSClient,
  queueUrls: Readonly<Partial<Record<QueueName, string>>>,
): VisibilityChanger {
  return async (queue, records) => {
    const Entries = records.map(({ receiptHandle, seconds }, index) => ({
      Id: String(index),
      ReceiptHandle: receiptHandle,
      VisibilityTimeout: Math.ceil(seconds),
    }));
    const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrls[queue], Entries });
    const { Failed = [] } = await sqs.send(command);
    if (Failed[0]) throw new Error(`SQS did not hide ${Failed.length} messages: ${Failed[0].Code}`);
  };
}

const maxReasonChars = 1_000;

/** What of a record another queue is sent. */
type Forwarded = {
  readonly body: string;
  readonly messageAttributes: Readonly<Record<string, { readonly stringValue?: string | undefined }>>;
  readonly attributes: { readonly MessageGroupId?: string | undefined };
};

export type DeadLetterCause = { readonly reason: string; readonly handOuts: number };

/** Puts a received record on the queue of its queue's dead letters, with the cause. It is still to be deleted where it was. */
export type DeadLetterMover = (queue: QueueName, record: Forwarded, cause: DeadLetterCause) => Promise<void>;

/** `queueUrls` holds the queues this process reads; their dead letters' are named after them. Rejects with the SDK's error. */
export function createDeadLetterMover(
  sqs: SQSClient,
  queueUrls: Readonly<Partial<Record<QueueName, string>>>,
): DeadLetterMover {
  return (queue, record, { reason, handOuts }) => {
    const attributes = {
      [reasonAttribute]: {
        stringValue: reason.replace(/[^\t\n\r\u0020-\uD7FF]/g, '?').slice(0, maxReasonChars) || '?',
      },
      [handOutsAttribute]: { stringValue: String(handOuts) },
    };
    // After a redrive it is counted anew.
    const { [earlierAttribute]: _, ...kept } = record.messageAttributes;
    const marked = { ...record, messageAttributes: { ...kept, ...attributes } };
    return forward(sqs, marked, deadLetterQueue(queueUrls[queue] ?? queue));
  };
}

/** What a dead letter's attributes say; null if SQS moved it, without a word. */
export function causeOf(attributes: Forwarded['messageAttributes']): DeadLetterCause | null {
  const reason = attributes[reasonAttribute]?.stringValue;
  return reason === undefined ? null : { reason, handOuts: Number(attributes[handOutsAttribute]?.stringValue ?? 0) };
}

async function forward(sqs: SQSClient, { body, messageAttributes, attributes }: Forwarded, target: string) {
  const copied = Object.entries(messageAttributes).map(([name, { stringValue = '' }]) => {
    return [name, { DataType: 'String', StringValue: stringValue }] as const;
  });
  const { MessageGroupId } = attributes;
  const groupId = MessageGroupId === undefined ? {} : { MessageGroupId };
  const MessageAttributes = Object.fromEntries(copied);
  await sqs.send(new SendMessageCommand({ QueueUrl: target, MessageBody: body, MessageAttributes, ...groupId }));
}

function recordOf(
  { MessageId = '', ReceiptHandle = '', Body = '', MD5OfBody = '', Attributes = {}, MessageAttributes = {} }: Message,
  { queueArn, region }: { readonly queueArn: string; readonly region: string },
): SqsEventRecord {
  const attributes = Object.entries(MessageAttributes).map(([name, { DataType = 'String', StringValue }]) => {
    const value = StringValue === undefined ? {} : { stringValue: StringValue };
    return [name, { ...value, stringListValues: [], binaryListValues: [], dataType: DataType }] as const;
  });
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: Attributes,
    messageAttributes: Object.fromEntries(attributes),
    md5OfBody: MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: region,
  };
}
