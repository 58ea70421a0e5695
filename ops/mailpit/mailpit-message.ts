// A message in the words of Mailpit's API: https://mailpit.axllent.org/docs/api-v1/.
import { createHash } from 'node:crypto';
import { isAnswer } from '#ops/api/answer.ts';
import { htmlText } from '#ops/content/html-text.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { type ForeignDeps, type Listed, readCopies, textOf } from './ask-api.ts';

type Address = { readonly Name: string; readonly Address: string };

/** What a row of a list and a whole message have in common. */
function commonParts(listed: Listed, copies: readonly [InboxMessage, ...InboxMessage[]]) {
  const [message] = copies;
  const shown = [...message.to, ...message.cc].map(({ address }) => address.toLowerCase());
  const hidden = copies
    .map(({ envelope }) => envelope.forwardPath)
    .filter((path) => !shown.includes(path.toLowerCase()));
  return {
    ID: listed.id,
    MessageID: (message.messageId ?? '').replace(/^<|>$/g, ''),
    From: named(message.from)[0] ?? { Name: '', Address: '' },
    To: named(message.to),
    Cc: named(message.cc),
    Bcc: [...new Set(hidden)].map((address) => ({ Name: '', Address: address })),
    ReplyTo: named(message.replyTo),
    Subject: message.subject ?? '',
    Tags: listed.tags,
    Username: message.session.user ?? '',
    Size: message.raw.bytes,
  };
}

/** A row of a list; null if the message is not there any more. */
export async function mailpitSummary(deps: ForeignDeps, listed: Listed) {
  const [first, ...others] = await readCopies(deps, listed);
  if (first === undefined) return null;
  return {
    ...commonParts(listed, [first, ...others]),
    Read: listed.read,
    Created: listed.receivedAt,
    Attachments: first.attachments.filter(({ inline }) => !inline).length,
    Snippet: listed.preview,
  };
}

/** The whole message; null if it is not there any more. */
export async function mailpitMessage(deps: ForeignDeps, listed: Listed) {
  const [first, ...others] = await readCopies(deps, listed);
  if (first === undefined) return null;
  const parts = await Promise.all(
    first.attachments.map((attachment, n) => mailpitAttachment(deps, listed.id, { attachment, n })),
  );
  const unsubscribe = headerOf(first, 'List-Unsubscribe');
  const html = await bodyOf(deps, listed.id, { kind: 'html', body: first.html });
  return {
    ...commonParts(listed, [first, ...others]),
    ReturnPath: first.envelope.reversePath,
    Date: first.date ?? first.receivedAt,
    ListUnsubscribe: {
      Header: unsubscribe,
      HeaderPost: headerOf(first, 'List-Unsubscribe-Post'),
      Links: [...unsubscribe.matchAll(/<([^<>]+)>/g)].map(([, link]) => link),
      Errors: '',
    },
    Text: first.text === null ? linesOf(html) : await bodyOf(deps, listed.id, { kind: 'text', body: first.text }),
    HTML: html,
    Attachments: parts.filter(({ isInline }) => !isInline).map(({ part }) => part),
    Inline: parts.filter(({ isInline }) => isInline).map(({ part }) => part),
  };
}

/** All fields by name, each with its values. */
export function mailpitHeaders({ headers }: InboxMessage): Readonly<Record<string, readonly string[]>> {
  const byName = Map.groupBy(headers, ({ name }) => canonical(name));
  return Object.fromEntries([...byName].sort().map(([name, fields]) => [name, fields.map(({ value }) => value)]));
}

/** As Go writes names of fields: `Message-Id`. */
function canonical(name: string): string {
  return name.toLowerCase().replaceAll(/(?<=^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

function named(addresses: InboxMessage['to']): readonly Address[] {
  return addresses.map(({ name, address }) => ({ Name: name, Address: address }));
}

function headerOf({ headers }: InboxMessage, wanted: string): string {
  return headers.find(({ name }) => name.toLowerCase() === wanted.toLowerCase())?.value ?? '';
}

/** Its number, from 1, is the id of the part. */
async function mailpitAttachment(
  { ask }: ForeignDeps,
  id: string,
  { attachment, n }: { readonly attachment: InboxMessage['attachments'][number]; readonly n: number },
) {
  const { body } = await ask({ method: 'GET', url: `/api/messages/${id}/attachments/${n + 1}` });
  const content = typeof body === 'string' ? Buffer.from(body) : await readBody(body);
  const digest = (name: string): string => createHash(name).update(content).digest('hex');
  const part = {
    PartID: String(n + 1),
    FileName: attachment.filename,
    ContentType: attachment.contentType,
    ContentID: attachment.contentId ?? '',
    Size: attachment.bytes,
    Checksums: { MD5: digest('md5'), SHA1: digest('sha1'), SHA256: attachment.sha256 },
  };
  return { part, isInline: attachment.inline };
}

/** Of a message that has HTML alone, what its lines say: it has a text there. */
function linesOf(html: string): string {
  return htmlText(html)
    .replaceAll(/ *\n[ \n]*/g, '\n')
    .trim();
}

/** A large body is an object of its own. */
async function bodyOf(
  { ask }: ForeignDeps,
  id: string,
  { kind, body }: { readonly kind: 'text' | 'html'; readonly body: InboxMessage['text'] },
): Promise<string> {
  if (body === null || typeof body === 'string') return body ?? '';
  const url = `/api/messages/${id}/${kind}${kind === 'html' ? '?source=true' : ''}`;
  const answer = await ask({ method: 'GET', url });
  return isAnswer(answer) && answer.status === 200 ? textOf(answer) : '';
}
