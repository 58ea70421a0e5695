// Puts the inbox message together for one recipient, from the job and from what was parsed. Pure: the same input gives
// the same JSON, byte for byte.
import type { InboxMessage } from '#pipeline/inbox-message.ts';
import type { ParseJob } from '#pipeline/jobs.ts';
import type { KeptObject } from './keep-object.ts';
import type { MessageProblem } from './problems.ts';
import type { ParsedBody, ParsedHead } from './worker-messages.ts';

/** What parsing gave, the same for all recipients. */
export type ParsedContent = {
  readonly head: ParsedHead;
  readonly text: ParsedBody;
  readonly html: ParsedBody;
  readonly kept: readonly KeptObject[];
  readonly problems: readonly MessageProblem[];
};

/** The message as its recipient's program reads it; of the envelope it names this recipient alone. */
export function assembleMessage(
  job: ParseJob,
  { mailbox, forwardPath }: Pick<ParseJob['recipients'][number], 'mailbox' | 'forwardPath'>,
  content: ParsedContent,
): InboxMessage {
  const { head, kept } = content;
  return {
    schema: 'inbox-message/1',
    id: job.id,
    receivedAt: job.receivedAt,
    mailbox,
    envelope: { reversePath: job.reversePath, forwardPath },
    session: job.session,
    authentication: job.authentication,
    disposition: job.disposition,
    headers: head.headers,
    messageId: head.messageId,
    date: head.date,
    subject: head.subject,
    from: head.from,
    to: head.to,
    cc: head.cc,
    replyTo: head.replyTo,
    inReplyTo: head.inReplyTo,
    references: head.references,
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
    .map(({ attachment: { filename, contentType, contentId, inline }, key, bytes, sha256 }) => ({
      filename,
      contentType,
      bytes,
      sha256,
      key,
      contentId,
      inline,
    }));
}
