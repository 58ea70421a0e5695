// From an event to the messages it tells of: fetched where they are stored, checked against the schema, and with what is stored
// beside them (large texts, attachments, the raw message) to be had when it is asked for.
import { createHash } from 'node:crypto';
import { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { defaultS3, type MailObjects } from './default-s3.ts';
import { type FoundMail, findMail, type StoredAt } from './find-mail.ts';
import { parseTolerantly } from './parse-tolerantly.ts';

export type ReadMailOptions = {
  /** If left out, a client of this process's own region and credentials. */
  readonly s3?: MailObjects;
  /** Pillarbox's bucket: needed only for what is stored beside a message that a webhook sent whole. */
  readonly bucket?: string;
};

/** The inbox message, and how to get what is stored beside it. These reject if it cannot be read, or is not what the message says. */
export type Mail = InboxMessage & {
  /** Where the message is stored; null if the event itself held it. */
  readonly storedAt: StoredAt | null;
  /** The plain text, from an object of its own if it is large; null if there is none. */
  readonly readText: () => Promise<string | null>;
  /** The HTML as the sender wrote it: sanitize it before you show it. */
  readonly readHtml: () => Promise<string | null>;
  /** The decoded content of one of `attachments`. */
  readonly readAttachment: (attachment: InboxMessage['attachments'][number]) => Promise<Uint8Array>;
  /** The message as it was received. */
  readonly readRaw: () => Promise<Uint8Array>;
};

type Part = { readonly key: string; readonly sha256: string };

/**
 * The messages that an event tells of: the event of a Lambda function (S3, EventBridge, SQS, SNS), one of its records, or the
 * payload of a webhook, parsed or not. Events come at least once: `id` with `mailbox` tells whether you have seen it. Rejects with an
 * Error that names the key and the field.
 */
export async function readMail(event: unknown, options: ReadMailOptions = {}): Promise<readonly Mail[]> {
  return Promise.all(findMail(event).map((found) => readFound(found, options)));
}

async function readFound(found: FoundMail, options: ReadMailOptions): Promise<Mail> {
  if (found.kind === 'included') return mailOf(found.json, { where: found.where, storedAt: null, options });
  if (found.kind === 'linked') return readLinked(found, options);
  const { at } = found;
  const where = `${at.key} in ${at.bucket}`;
  const json = parseJson(await fetchBytes(at, options), where);
  return mailOf(json, { where, storedAt: at, options: { ...options, bucket: at.bucket } });
}

async function readLinked(
  { url, where }: FoundMail & { readonly kind: 'linked' },
  options: ReadMailOptions,
): Promise<Mail> {
  const response = await fetch(url, { redirect: 'error' }).catch((cause: unknown) => {
    throw new Error(`${where} cannot be fetched: ${reasonOf(cause)}`, { cause });
  });
  if (!response.ok)
    throw new Error(`${where} cannot be fetched: the answer is ${response.status}; the link may be too old`);
  const json = parseJson(new Uint8Array(await response.arrayBuffer()), where);
  return mailOf(json, { where, storedAt: null, options });
}

function mailOf(
  json: unknown,
  from: { readonly where: string; readonly storedAt: StoredAt | null; readonly options: ReadMailOptions },
): Mail {
  const { where, storedAt, options } = from;
  const message = parseTolerantly(inboxMessageSchema, json, where);
  const readPart = async ({ key, sha256 }: Part): Promise<Uint8Array> => {
    const { bucket } = options;
    if (bucket === undefined)
      throw new Error(`${key}: the event does not name its bucket; give readMail the option bucket`);
    const bytes = await fetchBytes({ bucket, key }, options);
    if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
    throw new Error(`${key} in ${bucket} is not what ${where} says: its SHA-256 is another`);
  };
  const readBody = async (body: InboxMessage['text']): Promise<string | null> =>
    body === null || typeof body === 'string' ? body : Buffer.from(await readPart(body)).toString('utf8');
  return {
    ...message,
    storedAt,
    readText: () => readBody(message.text),
    readHtml: () => readBody(message.html),
    readAttachment: readPart,
    readRaw: () => readPart(message.raw),
  };
}

async function fetchBytes({ bucket, key }: StoredAt, options: ReadMailOptions): Promise<Uint8Array> {
  const s3 = options.s3 ?? (await defaultS3());
  try {
    const { Body } = await s3.getObject({ Bucket: bucket, Key: key });
    if (Body === undefined) throw new Error('the answer has no body');
    return await Body.transformToByteArray();
  } catch (cause) {
    throw new Error(`${key} in ${bucket} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  switch (cause.name) {
    case 'NoSuchKey':
      return 'it was deleted, or its time is over';
    case 'AccessDenied':
      return `it is not there, or s3:GetObject (with KMS also kms:Decrypt) is not allowed (${cause.message})`;
    default:
      return cause.message === '' ? cause.name : cause.message;
  }
}

function parseJson(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new Error(`${where} is not JSON`);
  }
}
