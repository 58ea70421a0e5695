// Where the mail of an event is: in an object of the bucket, or in the event itself. Knows the events of S3, EventBridge, SQS and SNS,
// one in another too, and the body of a webhook.
import { z } from 'zod';
import { isMailKey } from '#pipeline/contract/keys.ts';
import { messageLinkSchema } from '#pipeline/contract/message-link.ts';

/** An object of the bucket. */
export type StoredAt = { readonly bucket: string; readonly key: string };

/** `linked`: at a URL that needs no account. `where` names the part of the event, for messages of errors. */
export type FoundMail =
  | { readonly kind: 'stored'; readonly at: StoredAt }
  | { readonly kind: 'linked'; readonly url: string; readonly where: string }
  | { readonly kind: 'included'; readonly json: unknown; readonly where: string };

const text = z.union([z.string(), z.instanceof(Uint8Array)]);
const several = z.object({ Records: z.array(z.unknown()) });
const fromSqs = z.object({ eventSource: z.literal('aws:sqs'), body: z.string() });
const fromSns = z.object({ EventSource: z.literal('aws:sns'), Sns: z.object({ Message: z.string() }) });
const fromSnsBySqs = z.object({ Type: z.literal('Notification'), TopicArn: z.string(), Message: z.string() });
const place = z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string() }) });
const fromS3 = z.object({ eventSource: z.literal('aws:s3'), eventName: z.string(), s3: place });
const testOfS3 = z.object({ Service: z.literal('Amazon S3'), Event: z.literal('s3:TestEvent') });
const fromEventBridge = z.object({ source: z.string(), 'detail-type': z.string(), detail: z.unknown() });
const storedAt = z.object({ bucket: z.string(), key: z.string() });
const message = z.object({ schema: z.string().startsWith('inbox-message/') });
const webhook = z.object({ type: z.string(), data: z.unknown() });

/** More than any way that events are passed on: SNS in SQS in a webhook. */
const mostLayers = 8;

/** All mail that an event tells of, in its order. Throws an Error that names the part of the event that is something else. */
export function findMail(event: unknown, where = 'event', layer = 1): readonly FoundMail[] {
  const inside = (part: unknown, name: string) => findMail(part, `${where}.${name}`, layer + 1);
  if (layer > mostLayers) throw new Error(`${where}: events within events, more than ${mostLayers}`);

  const records = several.safeParse(event).data?.Records;
  if (records !== undefined) return records.flatMap((record, n) => inside(record, `Records[${n}]`));

  const written = text.safeParse(event).data;
  if (written !== undefined) return findMail(parseJson(written, where), where, layer + 1);

  const s3 = fromS3.safeParse(event).data;
  if (s3 !== undefined)
    return [stored(s3.s3, s3.eventName.startsWith('ObjectCreated:'), `${where} (${s3.eventName})`, decoded)];
  if (testOfS3.safeParse(event).success) return [];

  const told = fromEventBridge.safeParse(event).data;
  const detail = place.safeParse(told?.detail).data;
  if (told !== undefined && detail !== undefined) {
    return [stored(detail, told['detail-type'] === 'Object Created', `${where} (${told['detail-type']})`)];
  }
  if (told !== undefined) return inside(told.detail, 'detail');

  const body = fromSqs.safeParse(event).data?.body;
  if (body !== undefined) return inside(body, 'body');
  const notified = fromSns.safeParse(event).data?.Sns.Message;
  if (notified !== undefined) return inside(notified, 'Sns.Message');
  const passedOn = fromSnsBySqs.safeParse(event).data?.Message;
  if (passedOn !== undefined) return inside(passedOn, 'Message');

  if (message.safeParse(event).success) return [{ kind: 'included', json: event, where }];
  const link = messageLinkSchema.safeParse(event).data;
  if (link !== undefined) return [{ kind: 'linked', url: link.url, where: `${where} (${link.key})` }];
  const at = storedAt.safeParse(event).data;
  if (at !== undefined) return [{ kind: 'stored', at: mailAt(at, where) }];
  const sent = webhook.safeParse(event).data;
  if (sent !== undefined) return inside(sent.data, 'data');
  throw new Error(`${where}: neither an event of S3, EventBridge, SQS or SNS nor the body of a webhook of Pillarbox`);
}

function parseJson(written: string | Uint8Array, where: string): unknown {
  try {
    return JSON.parse(typeof written === 'string' ? written : Buffer.from(written).toString('utf8'));
  } catch {
    throw new Error(`${where}: the text is not JSON`);
  }
}

function stored(
  { bucket, object }: z.infer<typeof place>,
  isNew: boolean,
  where: string,
  keyOf: (key: string, where: string) => string = (key) => key,
): FoundMail {
  const at = { bucket: bucket.name, key: keyOf(object.key, where) };
  if (!isNew) throw new Error(`${where}: ${at.key} is not new; ask for events of created objects alone`);
  return { kind: 'stored', at: mailAt(at, where) };
}

/** S3's own notifications give keys as a form of HTML would; EventBridge gives them as they are. */
function decoded(key: string, where: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    throw new Error(`${where}: the key ${key} is not encoded as S3 encodes keys`);
  }
}

function mailAt(at: StoredAt, where: string): StoredAt {
  if (isMailKey(at.key) && at.key.endsWith('.json')) return { bucket: at.bucket, key: at.key };
  throw new Error(`${where}: ${at.key} is no message; ask for events of keys that begin with inbox/ or quarantine/`);
}
