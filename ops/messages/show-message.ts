// One message: the inbox JSON, the stored bytes, an attachment, its HTML for a sandboxed frame.
// What a stranger wrote is served so that no browser runs it: nosniff, a sandboxing policy, and as a download.

import { parseAddress } from '#mail/address/address.ts';
import { type MessageId, messageIdTime } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import { type Answer, badParameter, isAnswer, refusal } from '#ops/api/answer.ts';
import { readId, readMailbox, readQuery } from '#ops/api/parameters.ts';
import type { MailRouteDeps } from '#ops/api/routes.ts';
import { readText } from '#ops/stored-json.ts';
import { mailboxPrefix, rawKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { type InboxMessage, inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { linksInNewTabs } from './html-links.ts';
import { inlinePictures } from './inline-pictures.ts';

/** HTML of more bytes is not looked through for pictures and links: it is as it is stored. */
const maxShownHtmlBytes = 8_388_608;

type Deps = Pick<MailRouteDeps, 'admin' | 'store'>;
type Wanted = { readonly id: string | undefined; readonly query: URLSearchParams };

/** No script, no form, no load from anywhere, an origin of its own. */
const sandboxPolicy = "sandbox; default-src 'none'";
/**
 * The same for a message's HTML: its own styles and pictures that are in it, shown only in our page's frame. What a link
 * opens is a tab of its own, free of the sandbox.
 */
const htmlPolicy = [
  'sandbox allow-popups allow-popups-to-escape-sandbox',
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
].join('; ');
/** No host is looked up before its link is followed: the sender's DNS would tell that the message was read. */
const htmlHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': htmlPolicy,
  'x-dns-prefetch-control': 'off',
};

/** `GET /api/messages/ID[?mailbox=]`: the stored JSON as it is. */
export async function showMessage(deps: Deps, wanted: Wanted): Promise<Answer> {
  const key = await findKey(deps, wanted);
  if (isAnswer(key)) return key;
  const object = await deps.store.get(key);
  if (object === null) return notFound('no such message any more');
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: object.body,
    bytes: object.bytes,
  };
}

/** `GET /api/messages/ID/raw`: every byte as it is stored. */
export async function showRaw(deps: Deps, wanted: Wanted): Promise<Answer> {
  const id = readId(wanted.id);
  if (isAnswer(id)) return id;
  const given = readQuery(wanted.query, ['mailbox']);
  if (isAnswer(given)) return given;
  const key = await findRawKey(deps, id);
  if (key === null) return notFound(`no message ${id}`);
  return download(deps.store, { key, contentType: 'message/rfc822', filename: `${id}.eml` });
}

/** `GET /api/messages/ID/attachments/N`, N from 1. */
export async function showAttachment(deps: Deps, wanted: Wanted & { readonly n: string | undefined }): Promise<Answer> {
  const message = await readMessage(deps, wanted);
  if (isAnswer(message)) return message;
  if (!/^[1-9]\d{0,5}$/.test(wanted.n ?? '')) return badParameter('N', 'the number of an attachment, from 1');
  const attachment = message.attachments[Number(wanted.n) - 1];
  if (attachment === undefined) return notFound(`the message has ${message.attachments.length} attachments`);
  const { key, filename } = attachment;
  return download(deps.store, { key, contentType: safeType(attachment.contentType), filename });
}

/**
 * `GET /api/messages/ID/text` and `…/html`: a body in full, also where it was too large for the JSON; the HTML with the
 * pictures that the message brings along.
 */
export async function showBody(deps: Deps, wanted: Wanted & { readonly kind: 'text' | 'html' }): Promise<Answer> {
  const message = await readMessage(deps, wanted);
  if (isAnswer(message)) return message;
  const part = message[wanted.kind];
  if (part === null) return notFound(`the message has no ${wanted.kind}`);
  const headers =
    wanted.kind === 'text'
      ? { 'content-type': 'text/plain; charset=utf-8', 'content-security-policy': sandboxPolicy }
      : htmlHeaders;
  if (typeof part !== 'string' && (wanted.kind === 'text' || part.bytes > maxShownHtmlBytes)) {
    const object = await deps.store.get(part.key);
    if (object === null) return notFound('the body is not stored any more');
    return { status: 200, headers, body: object.body, bytes: object.bytes };
  }
  const content = typeof part === 'string' ? part : await readText(deps.store, part.key);
  if (content === null) return notFound('the body is not stored any more');
  const { attachments } = message;
  if (wanted.kind === 'text') return { status: 200, headers, body: content };
  const body = linksInNewTabs(await inlinePictures(deps.store, { html: content, attachments }));
  return { status: 200, headers, body };
}

/** The key of the raw message: the inbox message names it; mail that only passes through has it by its id's time. */
export async function findRawKey({ admin, store }: Deps, id: MessageId): Promise<string | null> {
  for (const key of await admin.findMessage(id)) {
    const message = (await inboxMessageRecord.read(store, key, () => null))?.record ?? null;
    if (message !== null) return message.raw.key;
  }
  const key = rawKey({ id, receivedAt: new Date(messageIdTime(id)).toISOString() });
  return (await store.head(key)) === null ? null : key;
}

async function readMessage(deps: Deps, wanted: Wanted): Promise<InboxMessage | Answer> {
  const key = await findKey(deps, wanted);
  if (isAnswer(key)) return key;
  const message = (await inboxMessageRecord.read(deps.store, key, () => null))?.record ?? null;
  return message ?? notFound('the stored message cannot be read');
}

async function findKey(deps: Deps, { id: text, query }: Wanted): Promise<string | Answer> {
  const id = readId(text);
  if (isAnswer(id)) return id;
  const given = readQuery(query, ['mailbox']);
  if (isAnswer(given)) return given;
  const mailbox = readMailbox(given['mailbox']);
  if (isAnswer(mailbox)) return mailbox;
  const keys = await deps.admin.findMessage(id);
  const key = keys.find((candidate) => mailbox === null || isIn(candidate, mailbox));
  if (key !== undefined) return key;
  if (keys.length > 0) return notFound(`message ${id} did not land in ${mailbox}`);
  if ((await findRawKey(deps, id)) === null) return notFound(`no message ${id}`);
  return notFound(`message ${id} is stored, but in no mailbox here: see its trace`, 'not-in-a-mailbox');
}

function isIn(key: string, mailbox: string): boolean {
  const address = parseAddress(mailbox);
  if (isProblem(address)) return false;
  return (['inbox', 'quarantine'] as const).some((folder) => key.startsWith(mailboxPrefix(folder, address)));
}

async function download(
  store: Pick<ObjectStore, 'get'>,
  { key, contentType, filename }: { readonly key: string; readonly contentType: string; readonly filename: string },
): Promise<Answer> {
  const object = await store.get(key);
  if (object === null) return notFound('not stored any more');
  return {
    status: 200,
    headers: {
      'content-type': contentType,
      'content-disposition': disposition(filename),
      'content-security-policy': sandboxPolicy,
    },
    body: object.body,
    bytes: object.bytes,
  };
}

/** RFC 6266 §4.3: an ASCII name for old programs, the real one in UTF-8 (RFC 8187). */
function disposition(filename: string): string {
  const plain = filename.replace(/[^A-Za-z0-9._ -]/g, '_').slice(0, 150);
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** The sender's word for the type, where it is a type at all. */
function safeType(contentType: string): string {
  return /^[a-z0-9!#$&^_.+-]{1,64}\/[a-z0-9!#$&^_.+-]{1,64}$/i.test(contentType)
    ? contentType
    : 'application/octet-stream';
}

function notFound(message: string, code = 'not-found'): Answer {
  return refusal(404, code, message);
}
