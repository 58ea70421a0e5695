// What SQS answers to the requests of its SDK (AWS JSON 1.0): SendMessageBatch, with entries that fail by themselves, SendMessage to the
// dead letters, and ChangeMessageVisibilityBatch. Who may not send to a queue is refused.
import { unpacked } from '#pipeline/aws/pack.ts';
import { deadLetterQueue, lanesOf, listenerAccess, type QueueName, stages } from '#pipeline/contract/stages.ts';
import type { Random } from '#test/simulation/engine/random.ts';
import type { AwsAnswer, AwsRequest } from './aws-door.ts';
import { type SimQueue, stageOf } from './sim-sqs.ts';

const maxDelaySeconds = 900;
const maxBytes = 1_048_576;

type Entry = {
  readonly Id: string;
  readonly MessageBody: string;
  readonly DelaySeconds?: number;
  readonly MessageGroupId?: string;
  readonly MessageAttributes?: Record<string, { readonly DataType: string; readonly StringValue: string }>;
};

type HiddenEntry = { readonly Id: string; readonly ReceiptHandle: string; readonly VisibilityTimeout: number };

/** The URL of a queue; its last segment is the name. */
export function simQueueUrl(name: string): string {
  return `https://sqs.sim.example/000000000000/${name}`;
}

/** Answers a request of a process of this role (`listener`, or a stage). */
export function answerSqs(queues: ReadonlyMap<string, SimQueue>, request: AwsRequest, by: string): AwsAnswer {
  const input = inputOf(request);
  const name = String(input['QueueUrl']).split('/').at(-1) ?? '';
  const queue = queues.get(name);
  if (queue === undefined) return failure('QueueDoesNotExist');
  switch (actionOf(request)) {
    case 'SendMessageBatch':
      if (!sendsOf(by).includes(name)) return failure('AccessDenied', 403);
      return sendBatch(queue, input['Entries'] as Entry[]);
    case 'SendMessage':
      if (!deadLettersOf(by).includes(name)) return failure('AccessDenied', 403);
      return sendBatch(queue, [{ Id: '0', ...input } as Entry]);
    case 'ChangeMessageVisibilityBatch': {
      if (stageOf(name as QueueName).name !== by) return failure('AccessDenied', 403);
      const entries = input['Entries'] as HiddenEntry[];
      const isHidden = (one: HiddenEntry) => queue.hide(one.ReceiptHandle, one.VisibilityTimeout);
      const outcomes = Map.groupBy(entries, isHidden);
      const Failed = (outcomes.get(false) ?? []).map(({ Id }) => ({
        Id,
        Code: 'MessageNotInflight',
        SenderFault: true,
      }));
      return json({ Successful: (outcomes.get(true) ?? []).map(({ Id }) => ({ Id })), Failed });
    }
    default:
      return failure('InvalidAction');
  }
}

/** A batch of which some entries fail on the side of SQS; any other request is refused as a whole. */
export function refuseSqs(
  queues: ReadonlyMap<string, SimQueue>,
  request: AwsRequest,
  { by, random }: { readonly by: string; readonly random: Random },
): AwsAnswer {
  if (actionOf(request) !== 'SendMessageBatch') return failure('ServiceUnavailable', 503);
  const input = inputOf(request);
  const entries = input['Entries'] as Entry[];
  const failed = entries.filter(() => random.chance(0.6));
  const taken = entries.filter((entry) => !failed.includes(entry));
  const body = JSON.stringify({ ...input, Entries: taken });
  const answer = taken.length === 0 ? json({ Successful: [] }) : answerSqs(queues, { ...request, body }, by);
  if (answer.status !== 200) return answer;
  const Failed = failed.map(({ Id }) => ({ Id, Code: 'InternalError', SenderFault: false }));
  return json({ ...JSON.parse(String(answer.body)), Failed });
}

/** The queue whose message the request would let come back; null: it is another request. */
export function hiddenQueue(request: AwsRequest): string | null {
  if (actionOf(request) !== 'ChangeMessageVisibilityBatch') return null;
  return String(inputOf(request)['QueueUrl']).split('/').at(-1) ?? null;
}

/** A request in a few words. */
export function describeSqs(request: AwsRequest): string {
  const input = inputOf(request);
  const name = String(input['QueueUrl']).split('/').at(-1);
  if (actionOf(request) === 'SendMessage') return `sends to ${name}`;
  if (actionOf(request) !== 'SendMessageBatch')
    return `hides ${(input['Entries'] as HiddenEntry[]).map((one) => `${one.ReceiptHandle} for ${one.VisibilityTimeout} s`).join(', ')}`;
  const sent = (input['Entries'] as Entry[]).flatMap(({ MessageBody, DelaySeconds }) =>
    unpacked({ body: MessageBody, DelaySeconds }),
  );
  const entries = sent.map(({ body, DelaySeconds }) => {
    const job = JSON.parse(body) as { id: string; domain?: string; attempt?: number };
    return `${job.id.slice(-6)}${job.domain === undefined ? '' : ` ${job.domain} ${job.attempt}`}${DelaySeconds === undefined ? '' : ` in ${DelaySeconds} s`}`;
  });
  return `sends to ${name}: ${entries.join(', ')}`;
}

/** SQS's error of one request. */
export function failure(code: string, status = 400): AwsAnswer {
  const headers = { 'content-type': 'application/x-amz-json-1.0' };
  return { status, headers, body: JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: code }) };
}

function sendBatch(queue: SimQueue, entries: readonly Entry[]): AwsAnswer {
  if (entries.length === 0 || entries.length > 10) return failure('TooManyEntriesInBatchRequest');
  const total = entries.reduce((sum, { MessageBody }) => sum + Buffer.byteLength(MessageBody), 0);
  if (total > maxBytes) return failure('BatchRequestTooLong');
  const refused = entries.filter(({ DelaySeconds = 0 }) => DelaySeconds > maxDelaySeconds || DelaySeconds < 0);
  const Failed = refused.map(({ Id }) => ({ Id, Code: 'InvalidParameterValue', SenderFault: true }));
  const taken = entries.filter((entry) => !refused.includes(entry));
  const Successful = taken.map(({ Id, MessageBody, DelaySeconds = 0, MessageGroupId, MessageAttributes = {} }) => ({
    Id,
    MessageId: queue.send({
      body: MessageBody,
      delaySeconds: DelaySeconds,
      group: MessageGroupId,
      attributes: MessageAttributes,
    }),
    MD5OfMessageBody: '',
  }));
  return json({ Successful, Failed });
}

function sendsOf(role: string): readonly string[] {
  if (role === 'listener') return listenerAccess.sends;
  return Object.values(stages).find(({ name }) => name === role)?.sends ?? [];
}

function deadLettersOf(role: string): readonly string[] {
  const stage = Object.values(stages).find(({ name }) => name === role);
  return stage === undefined ? [] : lanesOf(stage).map(({ consumes }) => deadLetterQueue(consumes));
}

function actionOf({ headers }: AwsRequest): string {
  return (headers['x-amz-target'] ?? '').replace('AmazonSQS.', '');
}

function inputOf({ body = '' }: AwsRequest): Record<string, unknown> {
  return JSON.parse(
    typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'),
  ) as Record<string, unknown>;
}

function json(body: object): AwsAnswer {
  return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: JSON.stringify(body) };
}
