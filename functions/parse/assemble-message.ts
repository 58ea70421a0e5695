// Assembles the inbox message of each recipient from the job and the parsed content. Pure: the same input gives the same JSON, byte
// for byte, in one piece or in two. The order of its fields is that of the schema.
import type { ParsedBody, ParsedHead } from '#functions/parse/worker/worker-messages.ts';
import type { LocalRecipient } from '#mail/envelope/recipient.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import type { PutRequest } from '#pipeline/contract/ports.ts';
import {
  type InboxMessage,
  inboxMessageSchema,
  inboxMessageVersion,
} from '#pipeline/contract/records/inbox-message.ts';
import type { KeptObject } from './keep-object.ts';
import type { MessageProblem } from './problems.ts';

/** What the message holds, the same for all recipients. */
export type ParsedContent = {
  readonly head: ParsedHead;
  readonly text: ParsedBody;
  readonly html: ParsedBody;
  readonly kept: readonly KeptObject[];
  readonly problems: readonly MessageProblem[];
};

/**
 * The JSON of each recipient as a body to be stored: whole, or this recipient's own fields, with a shared tail that is made once for
 * all. Throws if the JSON is not valid by the schema.
 */
export function createBodies(
  job: ParseJob,
  content: ParsedContent,
): (recipient: LocalRecipient, isAlone: boolean) => Pick<PutRequest, 'body' | 'sharedTail'> {
  let sharedTail: Uint8Array | null = null;
  return (recipient, isAlone) => {
    if (isAlone) return { body: jsonOf(inboxMessageSchema.parse(assembleMessage(job, recipient, content))) };
    sharedTail ??= sharedTailOf(inboxMessageSchema.parse(assembleMessage(job, recipient, content)));
    return { body: jsonOf(ownFields(job, recipient)).subarray(0, -1), sharedTail };
  };
}

/** All fields behind the recipient's own, as the end of the JSON: from the comma on. */
function sharedTailOf({ schema: _, id, receivedAt, mailbox, envelope, ...shared }: InboxMessage): Uint8Array {
  const json = jsonOf(shared);
  json.write(',', 0);
  return json;
}

function jsonOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

/** The fields that come first, in this order. */
function ownFields(job: ParseJob, { mailbox, forwardPath }: LocalRecipient) {
  const { id, receivedAt } = job;
  const { reversePath } = job.envelope;
  return { schema: inboxMessageVersion, id, receivedAt, mailbox, envelope: { reversePath, forwardPath } } as const;
}

/** The message as its recipient's program reads it; of the envelope it names this recipient alone. */
export function assembleMessage(job: ParseJob, recipient: LocalRecipient, content: ParsedContent): InboxMessage {
  const { head, kept } = content;
  return {
    ...ownFields(job, recipient),
    session: job.envelope.session,
    authentication: job.authentication,
    disposition: job.disposition,
    ...head,
    text: body(content.text, 'text', kept),
    html: body(content.html, 'html', kept),
    attachments: listAttachments(kept),
    raw: job.raw,
    problems: [...content.problems],
  };
}

function body(parsed: ParsedBody, kind: 'text' | 'html', kept: readonly KeptObject[]): InboxMessage['text'] {
  if (parsed === null) return null;
  if (parsed !== 'object') return parsed.inline;
  const object = kept.find(({ start }) => start.kind === kind);
  if (object === undefined) throw new Error(`the ${kind} of the message was not stored`);
  return { key: object.key, bytes: object.bytes, sha256: object.sha256 };
}

function listAttachments(kept: readonly KeptObject[]): InboxMessage['attachments'] {
  return kept
    .flatMap(({ start, key, bytes, sha256 }) => (start.kind === 'attachment' ? [{ ...start, key, bytes, sha256 }] : []))
    .sort((a, b) => a.n - b.n)
    .map(({ attachment, key, bytes, sha256 }) => ({ ...attachment, key, bytes, sha256 }));
}
