// The texts of a message for an agent: its text, its HTML as a reader sees it, and the HTML itself. A large one is fetched as far as it is wanted.

import { TextDecoder } from 'node:util';
import { z } from 'zod';
import { refusalError } from '#cli/command.ts';
import { htmlText } from '#ops/content/html-text.ts';
import { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import type { AskMail } from './ask-mail.ts';
import { type Page, readPage } from './readable.ts';

/** A message as the API gives it; fields that a later version has are left out. */
export const mailSchema = z.object(inboxMessageSchema.shape);

export type Mail = InboxMessage;

/** What of a message's content is wanted. */
export const bodyKinds = ['text', 'html_as_text', 'html_source'] as const;
export type BodyKind = (typeof bodyKinds)[number];

/** Characters of text and of HTML that are looked at for links and codes, and of the HTML that is made text. */
const mostRead = 2_000_000;

/** The kind that a reader would be shown first; null if there is neither text nor HTML. */
export function usualBody({ text, html }: Mail): BodyKind | null {
  if (text !== null && text !== '') return 'text';
  return html === null || html === '' ? null : 'html_as_text';
}

/** `isCut`: it goes on behind what is read of it. */
type Read = { readonly text: string | null; readonly isCut: boolean };

/** Text and HTML as they were sent, as far as they are looked at. */
export async function readBodies(ask: AskMail, mail: Mail): Promise<{ readonly text: Read; readonly html: Read }> {
  const [text, html] = await Promise.all([readBody(ask, mail, 'text'), readBody(ask, mail, 'html')]);
  return { text, html };
}

/** A page of one of them. Rejects if the message has none. */
export async function pageOf(
  ask: AskMail,
  mail: Mail,
  { body, offset, limit }: { readonly body: BodyKind; readonly offset: number; readonly limit: number },
): Promise<Page> {
  const kind = body === 'text' ? 'text' : 'html';
  if (mail[kind] === null) throw refusalError(`the message has no ${kind}`, 'not-found');
  if (body !== 'html_as_text') return readPage(bodyPieces(ask, mail, kind), { offset, limit });
  const { text: html, isCut } = await readBody(ask, mail, 'html');
  const end = isCut ? ['\n[the HTML goes on: read html_source]'] : [];
  return readPage([shownText(html ?? ''), ...end], { offset, limit });
}

/** HTML as lines of text, without the blank ones. */
function shownText(html: string): string {
  return htmlText(html)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n');
}

async function readBody(ask: AskMail, mail: Mail, kind: 'text' | 'html'): Promise<Read> {
  if (mail[kind] === null) return { text: null, isCut: false };
  let text = '';
  for await (const piece of bodyPieces(ask, mail, kind)) {
    text += piece;
    if (text.length > mostRead) return { text: text.slice(0, mostRead), isCut: true };
  }
  return { text, isCut: false };
}

async function* bodyPieces(ask: AskMail, mail: Mail, kind: 'text' | 'html'): AsyncGenerator<string> {
  const body = mail[kind];
  if (body === null || typeof body === 'string') {
    yield body ?? '';
    return;
  }
  const source = kind === 'html' ? { source: 'true' } : {};
  const { pieces } = await ask.bytes({
    path: `/api/messages/${mail.id}/${kind}`,
    query: { mailbox: mailboxOf(mail), ...source },
  });
  yield* decoded(pieces, new TextDecoder());
}

/** The text of bytes. */
export async function* decoded(pieces: AsyncIterable<Uint8Array>, decoder: TextDecoder): AsyncGenerator<string> {
  for await (const piece of pieces) yield decoder.decode(piece, { stream: true });
  yield decoder.decode();
}

/** `local@domain` of the copy. */
export function mailboxOf({ mailbox }: Mail): string {
  return `${mailbox.localPart}@${mailbox.domain}`;
}
