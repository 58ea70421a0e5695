// Sends jobs to SQS queues. Jobs that are sent within a few milliseconds leave in one SendMessageBatch of ten at most; each
// entry's own answer decides about its job. To some queues several leave as one message (pack.ts). SQS delays 900 s at most: a job that is due later carries its due time, and
// whoever receives it early sends it again (sqs-event-consumer.ts).
import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { jobSchemas } from '#pipeline/contract/jobs.ts';
import { jobsPerMessage } from '#pipeline/contract/jobs-per-message.ts';
import type { Clock, JobSender, SendOptions } from '#pipeline/contract/ports.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';
import { createCoalescer } from './coalescer.ts';
import { packBody, packsOf } from './pack.ts';
import { createSignedSender, type SignedSender } from './signed-request.ts';

/** The message attributes that carry over the hops a job's due time (ISO 8601), its fair-queue group, and its faults. */
export const notBeforeAttribute = 'not-before';
export const groupAttribute = 'group';
export const faultsAttribute = 'faults';
/** How often a job was handed out before, in other messages: SQS counts a message's hand-outs from its sending. */
export const earlierAttribute = 'handed-out';
/** Of a dead letter: why it is one, and how often it was handed out. */
export const reasonAttribute = 'dead-reason';
export const handOutsAttribute = 'dead-after';

const maxDelaySeconds = 900;
const maxEntries = 10;
/** A message, and a batch, in bytes: bodies and attributes together. */
const maxBytes = 1_048_576;
const lingerMs = 5;
/** What one job of an invocation sends waits so long for what the others send: a request costs as much for one as for ten. */
const longestMs = 500;

type Attributes = Record<string, { readonly DataType: 'String'; readonly StringValue: string }>;
type Entry = {
  readonly MessageBody: string;
  readonly DelaySeconds?: number;
  readonly MessageGroupId?: string;
  readonly MessageAttributes?: Attributes;
};
type Queue = { readonly sqs: SQSClient; readonly url: string; readonly send: SignedSender };

const sentSchema = z.object({ Id: z.string() });
const failedSchema = sentSchema.extend({
  Code: z.string(),
  SenderFault: z.boolean().optional(),
  Message: z.string().optional(),
});
const answerSchema = z.object({
  Successful: z.array(sentSchema).default([]),
  Failed: z.array(failedSchema).default([]),
});
type Answer = z.infer<typeof answerSchema>;

/** A job of a pack that is to come again, alone. `body`: as JSON text, which need not be a job. */
export type ReturnedJob = {
  readonly body: string;
  /** 900 at most. */
  readonly delaySeconds: number;
  /** How often it was handed out so far. */
  readonly handOuts: number;
  /** Fair-queue group. */
  readonly group: string | undefined;
};

/** Puts a job back on its queue; it is durable when the promise resolves. */
export type JobReturner = (queue: QueueName, job: ReturnedJob) => Promise<void>;

export type SqsSender = JobSender & { readonly putBack: JobReturner };

/** `queueUrls` holds the queues this process may send to; sending to another throws. `jobsUnderWay`: how many jobs may still send. */
export function createSqsSender({
  sqs,
  queueUrls,
  clock,
  jobsUnderWay = () => 0,
}: {
  readonly sqs: SQSClient;
  readonly queueUrls: Readonly<Partial<Record<QueueName, string>>>;
  readonly clock: Clock;
  readonly jobsUnderWay?: () => number;
}): SqsSender {
  const coalescers = new Map<QueueName, (entry: Entry) => Promise<void>>();
  const coalescerOf = (queue: QueueName) => {
    const known = coalescers.get(queue);
    if (known) return known;
    const url = queueUrls[queue];
    if (url === undefined) throw new Error(`this process has no URL of queue "${queue}"`);
    const send = createSignedSender(sqs, () => queueTarget(sqs, url));
    const flush = (entries: readonly Entry[]) => sendPacked({ sqs, url, send }, entries, jobsPerMessage(queue));
    const mayGrow = (items: number) => items < jobsUnderWay();
    const limits = { maxItems: maxEntries, maxBytes, lingerMs, longestMs };
    const made = createCoalescer({ ...limits, mayGrow, sizeOf: bytesOf, flush });
    coalescers.set(queue, made);
    return made;
  };
  return {
    send: async (queue, job, options = {}) => {
      const entry = {
        MessageBody: bodyOf(JSON.stringify(jobSchemas[queue].parse(job))),
        ...dueAndGroup(options, clock()),
      };
      const bytes = bytesOf(entry);
      if (bytes > maxBytes) throw new Error(`job ${job.id} for "${queue}" has ${bytes} bytes; SQS takes ${maxBytes}`);
      await coalescerOf(queue)(entry);
    },
    putBack: async (queue, { body, delaySeconds, handOuts, group }) => {
      const attribute = { DataType: 'String', StringValue: String(handOuts) } as const;
      await coalescerOf(queue)({
        MessageBody: bodyOf(body),
        DelaySeconds: Math.min(maxDelaySeconds, Math.ceil(delaySeconds)),
        MessageAttributes: { [earlierAttribute]: attribute },
        ...(group === undefined ? {} : { MessageGroupId: groupIdOf(group) }),
      });
    },
  };
}

/** SQS takes what XML takes. */
function bodyOf(json: string): string {
  return json.replace(/[\uFFFE\uFFFF]/g, escapeCharacter);
}

function dueAndGroup({ notBefore, group, faults = 0 }: SendOptions, nowMs: number): Omit<Entry, 'MessageBody'> {
  const waitMs = notBefore === undefined ? 0 : Date.parse(notBefore) - nowMs;
  const groupId = group === undefined ? {} : { MessageGroupId: groupIdOf(group) };
  if (notBefore === undefined || !(waitMs > 0)) return groupId;
  const attributes: Attributes = { [notBeforeAttribute]: { DataType: 'String', StringValue: notBefore } };
  if (group !== undefined) attributes[groupAttribute] = { DataType: 'String', StringValue: group };
  if (faults > 0) attributes[faultsAttribute] = { DataType: 'String', StringValue: String(faults) };
  const DelaySeconds = Math.min(maxDelaySeconds, Math.ceil(waitMs / 1_000));
  return { DelaySeconds, MessageAttributes: attributes, ...groupId };
}

/** SQS takes 128 letters, digits and punctuation. */
function groupIdOf(group: string): string {
  return group.replaceAll(/[^!-~]/g, '_').slice(0, 128);
}

/** Null for each entry that is on the queue. Those that are due at once leave as packs of `most` jobs. */
async function sendPacked(
  queue: Queue,
  entries: readonly Entry[],
  most: number,
): Promise<readonly (Error | null | undefined)[]> {
  const items = entries.map((entry) => ({
    group: entry.MessageAttributes === undefined ? (entry.MessageGroupId ?? '') : null,
    bytes: bytesOf(entry),
  }));
  const packs = packsOf(items, most);
  const messages = packs.flatMap((pack) => {
    const [first] = pack.flatMap((index) => entries[index] ?? []);
    const body = packBody(pack.flatMap((index) => entries[index]?.MessageBody ?? []));
    return first === undefined ? [] : [{ ...first, MessageBody: body }];
  });
  const errors = await sendBatch(queue, messages);
  return entries.map((_, index) => errors[packs.findIndex((pack) => pack.includes(index))]);
}

/** Null for each entry that is on the queue; an entry that failed on SQS's side is sent once more. */
async function sendBatch(queue: Queue, entries: readonly Entry[]): Promise<readonly (Error | null)[]> {
  const outcomes = judge(entries, await answerTo(queue, entries));
  const again = outcomes.flatMap(({ outcome }, index) => (outcome === 'again' ? [index] : []));
  if (again.length === 0) return outcomes.map(errorOf);
  const retried = again.flatMap((index) => entries[index] ?? []);
  const second = judge(retried, await answerTo(queue, retried));
  return outcomes.map((outcome, index) => errorOf(second[again.indexOf(index)] ?? outcome));
}

type EntryOutcome =
  | { readonly outcome: 'sent' }
  | { readonly outcome: 'again'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string };

function judge(entries: readonly Entry[], { Successful, Failed }: Answer): readonly EntryOutcome[] {
  const sent = new Set(Successful.map(({ Id }) => Id));
  const failed = new Map(Failed.map((failure) => [failure.Id, failure]));
  return entries.map((_, index) => {
    if (sent.has(String(index))) return { outcome: 'sent' };
    const failure = failed.get(String(index));
    if (failure === undefined) return { outcome: 'again', reason: 'SQS gave no answer for it' };
    const reason = `${failure.Code}: ${failure.Message ?? 'no reason given'}`;
    return failure.SenderFault === true ? { outcome: 'failed', reason } : { outcome: 'again', reason };
  });
}

function errorOf(outcome: EntryOutcome): Error | null {
  return outcome.outcome === 'sent' ? null : ownFault('queue', `SQS did not take the job: ${outcome.reason}`);
}

/** The ordinary case is a signed request; after any other answer than 200 the SDK's client sends it, with its retries. */
async function answerTo({ sqs, url, send }: Queue, entries: readonly Entry[]): Promise<Answer> {
  const Entries = entries.map((entry, index) => ({ Id: String(index), ...entry }));
  const body = JSON.stringify({ QueueUrl: url, Entries });
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': String(Buffer.byteLength(body)),
    'x-amz-target': 'AmazonSQS.SendMessageBatch',
  };
  const response = await send({ method: 'POST', path: '/', headers, body }).catch(() => null);
  if (response?.status === 200) return answerSchema.parse(JSON.parse(response.body.toString('utf8')));
  return answerSchema.parse(await sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries })));
}

async function queueTarget({ config }: SQSClient, queueUrl: string) {
  const custom = await config.endpoint?.();
  if (!custom) return { url: new URL(queueUrl), basePath: '' };
  const port = custom.port === undefined ? '' : `:${custom.port}`;
  return { url: new URL(`${custom.protocol}//${custom.hostname}${port}`), basePath: '' };
}

function bytesOf({ MessageBody, MessageAttributes = {} }: Entry): number {
  const attributes = Object.entries(MessageAttributes).map(
    ([name, { DataType, StringValue }]) => name.length + DataType.length + Buffer.byteLength(StringValue),
  );
  return attributes.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(MessageBody));
}

function escapeCharacter(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16)}`;
}
