// An operator's view of a deployment on AWS, from S3 and SQS alone. There is no index, so lists are read newest first and
// only as far as needed, within limits that are reported.
import { z } from 'zod';
import { isMessageId, type MessageId, messageIdTime, receivedAtOf } from '#mail/header/message-id.ts';
import type { DeadLetter, DeliveryQuery, MailAdmin, QueueCounts } from '#ops/admin.ts';
import type { DeadLetters, QueuePair } from '#pipeline/aws/dead-letters.ts';
import { unpacked } from '#pipeline/aws/pack.ts';
import { causeOf, type SqsEventRecord } from '#pipeline/aws/sqs-receiver.ts';
import { deliveriesPrefix, deliveryPrefix, parseDeliveryKey } from '#pipeline/contract/keys.ts';
import { listAll } from '#pipeline/contract/list-all.ts';
import type { Clock, ObjectStore } from '#pipeline/contract/ports.ts';
import { type QueueName, queueNames } from '#pipeline/contract/stages.ts';
import { createCopyFinder, type FindCopiesDeps } from './find-copies.ts';
import { newestKeys, type TreeReader } from './newest-first.ts';
import { searchMail } from './search-mail.ts';

export type AwsAdminDeps = FindCopiesDeps & {
  readonly store: ObjectStore;
  readonly reader: TreeReader;
  readonly queues: (queue: QueueName) => QueuePair;
  readonly deadLetters: DeadLetters;
  readonly clock: Clock;
  readonly onProgress: (sentence: string) => void;
};

/** Mail of the last hour may have a job that no record tells of. */
const settledMs = 3_600_000;

export function createAwsAdmin(deps: AwsAdminDeps): MailAdmin {
  const { queues, deadLetters, reader } = deps;
  const copies = createCopyFinder(deps);
  return {
    queues: () => Promise.all(queueNames.map((name) => countsOf(deps, name))),
    redrive: (queue) => deadLetters.redrive(queues(queue)),
    purge: (queue) => deadLetters.purge(queues(queue)),
    deadLetters: async (queue, limit) => {
      const records = await deadLetters.peek(queues(queue), limit);
      return records
        .flatMap(unpacked) // A message that SQS moved, without a run, may hold several jobs.
        .map((record) => deadLetter(queue, record))
        .sort((a, b) => (a.diedAt < b.diedAt ? 1 : -1))
        .slice(0, limit);
    },
    heldJobs: async () => [],
    messages: (query) => searchMail({ ...deps, copies }, query),
    findMessage: async (id, { everywhere = false } = {}) => {
      if (!isMessageId(id)) return [];
      return everywhere ? copies.everywhere(id) : copies.find(id);
    },
    // SQS does not say whose jobs it has.
    underWay: async (ids) => ids.filter((id) => isMessageId(id) && deps.clock() < messageIdTime(id) + settledMs),
    deliveryKeys: (query) => deliveryKeys(reader, query),
  };
}

/** Only CloudWatch knows the age of the oldest job. */
async function countsOf({ queues, deadLetters }: AwsAdminDeps, name: QueueName): Promise<QueueCounts> {
  const { url, deadUrl } = queues(name);
  const [live, dead] = await Promise.all([deadLetters.counts(url), deadLetters.counts(deadUrl)]);
  return { name, ...live, dead: dead.ready + dead.delayed + dead.inFlight, oldestSeconds: null, faults: [] };
}

async function deliveryKeys(
  reader: TreeReader,
  { id, limit, after }: DeliveryQuery,
): ReturnType<MailAdmin['deliveryKeys']> {
  if (id !== null) return isMessageId(id) ? ofMessage(reader, { id, limit, after }) : { keys: [], next: null };
  const upTo = after === null ? null : (parseDeliveryKey(after)?.id ?? null);
  const keys: string[] = [];
  for await (const key of newestKeys(reader, { prefix: deliveryPrefix, upTo })) {
    if (after !== null && key >= after) continue;
    if (keys.length === limit) return { keys, next: keys.at(-1) ?? null };
    keys.push(key);
  }
  return { keys, next: null };
}

/** One message has as many as it has destinations: all are listed. */
async function ofMessage(
  { list }: TreeReader,
  { id, limit, after }: DeliveryQuery & { readonly id: MessageId },
): ReturnType<MailAdmin['deliveryKeys']> {
  const prefix = deliveriesPrefix({ id, receivedAt: receivedAtOf(id) });
  const objects = await listAll(list, prefix);
  const keys = objects.map(({ key }) => key).filter((key) => after === null || key < after);
  const page = keys.toReversed().slice(0, limit);
  return { keys: page, next: keys.length > limit ? (page.at(-1) ?? null) : null };
}

const aboutSchema = z.object({ id: z.string() });

/** The function that moved it said why. Of what SQS moved it knows when the job was sent, but not since when it is dead, and not why. */
function deadLetter(queue: QueueName, { body, attributes, messageAttributes, messageId }: SqsEventRecord): DeadLetter {
  const cause = causeOf(messageAttributes);
  const receiveCount = cause?.handOuts ?? Number(attributes['ApproximateReceiveCount'] ?? 0);
  const id = idOf(body);
  return {
    queue,
    id,
    body,
    reason:
      cause?.reason ?? `every try failed; the functions' log says why (look for ${id ?? `messageId ${messageId}`})`,
    receiveCount,
    diedAt: new Date(Number(attributes['SentTimestamp'] ?? 0)).toISOString(),
  };
}

function idOf(body: string): string | null {
  try {
    return aboutSchema.safeParse(JSON.parse(body)).data?.id ?? null;
  } catch {
    return null; // A dead letter may be dead because it is no JSON.
  }
}
