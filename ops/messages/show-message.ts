// One message: the inbox JSON, the stored bytes, an attachment, its HTML for a sandboxed frame. What a sender wrote is
// served so that no browser runs it: nosniff, a sandboxing policy, and as a download.
import { z } from 'zod';
import { type MessageId, receivedAtOf } from '#mail/header/message-id.ts';
import type { MailAdmin } from '#ops/admin.ts';
import { type Answer, isAnswer, notFound, stream, withHeaders } from '#ops/api/answer.ts';
import { flag, mailbox, messageId, text } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { type LinkWay, rewriteLinks } from '#ops/content/html-links.ts';
import { domainPrefix, mailboxPrefix, mailFolders, rawKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { type InboxMessage, inboxMessageRecord, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { readWhole } from '#pipeline/contract/stored-body.ts';
import { inlinePictures } from './inline-pictures.ts';

/** HTML of more bytes is shown as it is stored, without its pictures and with its links unchanged. */
const maxShownHtmlBytes = 8_388_608;

type Deps = { readonly admin: MailAdmin; readonly store: Pick<ObjectStore, 'get' | 'head' | 'list'> };
type Wanted = { readonly ID: MessageId; readonly mailbox: string | null };

/** No script, no form, no load from anywhere, an origin of its own. */
const sandboxPolicy = "sandbox; default-src 'none'";
const textHeaders = { 'content-type': 'text/plain; charset=utf-8', 'content-security-policy': sandboxPolicy };
/** What a message's HTML may load: what it brings along; if a person asks for it, pictures, fonts and media from anywhere. */
const loads = {
  own: "style-src 'unsafe-inline'; img-src data:",
  remote: "style-src 'unsafe-inline'; img-src data: https: http:; font-src data: https: http:; media-src https: http:",
};
/**
 * Shown only in our page's frame. What a link opens is a tab of its own, free of the sandbox. No host is looked up before its
 * link is followed: the sender's DNS would see that the message was read.
 */
function htmlHeaders(remote: boolean) {
  const policy = [
    'sandbox allow-popups allow-popups-to-escape-sandbox',
    `default-src 'none'; ${remote ? loads.remote : loads.own}`,
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  ];
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'x-dns-prefetch-control': 'off',
  };
}
/** A PDF in our page's frame: browsers show none in a sandbox. Their viewers run it apart from all pages. */
const pdfPolicy = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'";
const pdfType = 'application/pdf';

const takes = { ID: messageId, mailbox };
const linkWays = ['ask', 'new-tab', 'as-is'] as const satisfies readonly LinkWay[];

export const showMessage = useCase({
  about: 'one message as JSON; mailbox picks the copy',
  takes,
  gives: inboxMessageSchema,
  refuses: ['not-in-a-mailbox', 'body-damaged'],
  answer: async (deps: Deps, wanted) => {
    const key = await findKey(deps, wanted);
    if (isAnswer(key)) return key;
    const object = await deps.store.get(key);
    if (object === null) return notFound('no such message any more');
    return stream(object, { 'content-type': 'application/json; charset=utf-8' });
  },
});

export const showRaw = useCase({
  about: 'its bytes as stored',
  takes,
  gives: 'message/rfc822',
  refuses: ['body-damaged'],
  answer: async (deps: Deps, { ID: id }) => {
    const key = await findRawKey(deps, id);
    if (key === null) return notFound(`no message ${id}`);
    return download(deps.store, { key, contentType: 'message/rfc822', filename: `${id}.eml` });
  },
});

export const showAttachment = useCase({
  about: 'an attachment, from 1; show: a PDF for the page’s frame, not as a download',
  takes: {
    ...takes,
    N: text()
      .regex(/^[1-9]\d{0,5}$/, 'the number of an attachment, from 1')
      .transform(Number),
    show: flag,
  },
  gives: '*/*',
  refuses: ['not-in-a-mailbox', 'body-damaged'],
  answer: async (deps: Deps, { N: n, show, ...wanted }) => {
    const message = await readMessage(deps, wanted);
    if (isAnswer(message)) return message;
    const attachment = message.attachments[n - 1];
    if (attachment === undefined) return notFound(`the message has ${message.attachments.length} attachments`);
    const { key, filename } = attachment;
    const contentType = safeType(attachment.contentType);
    const answer = await download(deps.store, { key, contentType, filename });
    if (!show || contentType.toLowerCase() !== pdfType || answer.status !== 200) return answer;
    return withHeaders(answer, {
      'content-disposition': disposition(filename, 'inline'),
      'content-security-policy': pdfPolicy,
    });
  },
});

export const showText = useCase({
  about: 'its text in full',
  takes,
  gives: 'text/plain; charset=utf-8',
  refuses: ['not-in-a-mailbox', 'body-damaged'],
  answer: (deps: Deps, wanted) =>
    showBody(deps, { ...wanted, kind: 'text', remote: false, source: true, links: 'ask' }),
});

export const showHtml = useCase({
  about:
    'its HTML in full, for a sandboxed frame; remote: with pictures and fonts from elsewhere; source: as the sender wrote it, as plain text; links: to the page that asks, in a new tab at once, or as they are',
  takes: { ...takes, remote: flag, source: flag, links: z.enum(linkWays, linkWays.join(', ')).default('ask') },
  gives: 'text/html; charset=utf-8',
  refuses: ['not-in-a-mailbox', 'body-damaged'],
  answer: (deps: Deps, wanted) => showBody(deps, { ...wanted, kind: 'html' }),
});

/** `source`: as it is stored, as plain text. */
type Shown = Wanted & {
  readonly kind: 'text' | 'html';
  readonly remote: boolean;
  readonly source: boolean;
  readonly links: LinkWay;
};

async function showBody(deps: Deps, { kind, remote, source, links, ...wanted }: Shown): Promise<Answer> {
  const message = await readMessage(deps, wanted);
  if (isAnswer(message)) return message;
  const part = message[kind];
  if (part === null) return notFound(`the message has no ${kind}`);
  const headers = source ? textHeaders : htmlHeaders(remote);
  const object = typeof part === 'string' ? part : await deps.store.get(part.key);
  if (object === null) return notFound('the body is not stored any more');
  const isText = typeof object === 'string';
  if (!isText && (source || object.bytes > maxShownHtmlBytes)) return stream(object, headers);
  const content = isText ? object : (await readWhole(object)).toString('utf8');
  if (source) return { status: 200, headers, body: content };
  const html = await inlinePictures(deps.store, { html: content, attachments: message.attachments });
  return { status: 200, headers, body: rewriteLinks(html, links) };
}

/** From the inbox message; for mail that is in no mailbox, from the time in its id. */
export async function findRawKey({ admin, store }: Deps, id: MessageId): Promise<string | null> {
  for (const key of await admin.findMessage(id)) {
    const message = await inboxMessageRecord.find(store, key);
    if (message !== null) return message.raw.key;
  }
  const key = rawKey({ id, receivedAt: receivedAtOf(id) });
  return (await store.head(key)) === null ? null : key;
}

/** The copy that is wanted; a refusal where there is none. */
export async function readMessage(deps: Deps, wanted: Wanted): Promise<InboxMessage | Answer> {
  const key = await findKey(deps, wanted);
  if (isAnswer(key)) return key;
  const message = await inboxMessageRecord.find(deps.store, key);
  return message ?? notFound('the stored message cannot be read');
}

async function findKey(deps: Deps, { ID: id, mailbox: only }: Wanted): Promise<string | Answer> {
  const keys = await deps.admin.findMessage(id);
  const key = keys.find((candidate) => only === null || isInMailbox(candidate, only));
  if (key !== undefined) return key;
  if (keys.length > 0) return notFound(`message ${id} is not in ${only}`);
  if ((await findRawKey(deps, id)) === null) return notFound(`no message ${id}`);
  return notFound(`message ${id} is stored, but in no mailbox here: see its trace`, 'not-in-a-mailbox');
}

/** Whether the key is that of a copy in the mailbox `local@domain` (the local part without quotes), or in one of `@domain`. */
export function isInMailbox(key: string, only: string): boolean {
  if (only.startsWith('@')) return mailFolders.some((folder) => key.startsWith(domainPrefix(folder, only.slice(1))));
  const at = only.lastIndexOf('@');
  const mailbox = { localPart: only.slice(0, at), domain: only.slice(at + 1) };
  return mailFolders.some((folder) => key.startsWith(mailboxPrefix(folder, mailbox)));
}

async function download(
  store: Pick<ObjectStore, 'get'>,
  { key, contentType, filename }: { readonly key: string; readonly contentType: string; readonly filename: string },
): Promise<Answer> {
  const object = await store.get(key);
  if (object === null) return notFound('not stored any more');
  return stream(object, {
    'content-type': contentType,
    'content-disposition': disposition(filename),
    'content-security-policy': sandboxPolicy,
  });
}

/** RFC 6266 §4.3: an ASCII name for old programs, the real one in UTF-8 (RFC 8187). */
function disposition(filename: string, kind: 'attachment' | 'inline' = 'attachment'): string {
  const plain = filename.replace(/[^A-Za-z0-9._ -]/g, '_').slice(0, 150);
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** The sender's type, if it is well-formed. */
function safeType(contentType: string): string {
  return /^[a-z0-9!#$&^_.+-]{1,64}\/[a-z0-9!#$&^_.+-]{1,64}$/i.test(contentType)
    ? contentType
    : 'application/octet-stream';
}
