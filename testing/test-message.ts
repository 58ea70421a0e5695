// A message as tests want to look at it: addresses, texts, links, the one-time code, the bytes of attachments.
import { z } from 'zod';
import { findCode } from '#ops/content/find-code.ts';
import { findLinks } from '#ops/content/find-links.ts';
import { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import type { AskServer } from './ask-server.ts';

/** `name`: empty if there is none. */
export type TestAddress = { readonly name: string; readonly address: string };

/** `contentId`: what `cid:` in the HTML names; `inline`: it is shown there. `content`: its bytes, decoded. */
export type TestAttachment = {
  readonly filename: string;
  readonly contentType: string;
  readonly contentId: string | null;
  readonly inline: boolean;
  readonly content: Uint8Array;
  /** The content as UTF-8. */
  readonly text: () => string;
};

/** The header fields, names in any case. `get`: the first, unfolded and decoded, or null; `all`: each; `list`: all fields in order. */
export type TestHeaders = {
  readonly get: (name: string) => string | null;
  readonly all: (name: string) => readonly string[];
  readonly list: readonly { readonly name: string; readonly value: string }[];
};

/** A message in one mailbox. */
export type TestMessage = {
  readonly id: string;
  readonly receivedAt: Date;
  /** The address it came to, as the sender wrote it in the envelope. */
  readonly recipient: string;
  readonly from: TestAddress | null;
  readonly to: readonly TestAddress[];
  readonly cc: readonly TestAddress[];
  readonly replyTo: readonly TestAddress[];
  /** Empty if there is none. */
  readonly subject: string;
  readonly text: string | null;
  readonly html: string | null;
  /** All http and https links: those of the HTML in order, then what only the text has; each once. */
  readonly links: readonly string[];
  /** The one-time code: 4 to 8 digits, or a few letters and digits, beside a word such as code or PIN; null if that is in doubt. */
  readonly code: string | null;
  readonly headers: TestHeaders;
  readonly attachments: readonly TestAttachment[];
  /** The whole message as it was received. */
  readonly raw: () => Promise<Uint8Array>;
  /** All that is known of it: envelope, session, verdicts, problems (docs/inbox-message.md). */
  readonly record: InboxMessage;
};

/** Reads what the API answers for a message, and its attachments. Rejects if the server does not have them. */
export async function readTestMessage(ask: AskServer, json: unknown): Promise<TestMessage> {
  const record = inboxMessageSchema.parse(json);
  const { localPart, domain } = record.mailbox;
  const path = `/api/messages/${record.id}`;
  const query = `?mailbox=${encodeURIComponent(`${localPart}@${domain}`)}`;
  const [text, html] = await Promise.all([
    bodyOf(record.text, () => ask.bytes(`${path}/text${query}`)),
    bodyOf(record.html, () => ask.bytes(`${path}/html${query}&source=true`)),
  ]);
  const attachments = await Promise.all(
    record.attachments.map(async ({ filename, contentType, contentId, inline }, index) => {
      const content = await ask.bytes(`${path}/attachments/${index + 1}${query}`);
      return { filename, contentType, contentId, inline, content, text: () => Buffer.from(content).toString('utf8') };
    }),
  );
  return {
    id: record.id,
    receivedAt: new Date(record.receivedAt),
    recipient: record.envelope.forwardPath,
    from: record.from[0] ?? null,
    to: record.to,
    cc: record.cc,
    replyTo: record.replyTo,
    subject: record.subject ?? '',
    text,
    html,
    links: findLinks({ text, html }),
    code: findCode({ subject: record.subject, text, html }),
    headers: headersOf(record),
    attachments,
    raw: () => ask.bytes(`${path}/raw`),
    record,
  };
}

/** A large text is an object of its own. */
async function bodyOf(body: InboxMessage['text'], read: () => Promise<Uint8Array>): Promise<string | null> {
  if (body === null || typeof body === 'string') return body;
  return Buffer.from(await read()).toString('utf8');
}

function headersOf({ headers }: InboxMessage): TestHeaders {
  const list = headers.map(({ name, value }) => ({ name, value }));
  const all = (name: string): readonly string[] =>
    list.filter((field) => field.name.toLowerCase() === name.toLowerCase()).map(({ value }) => value);
  return { get: (name) => all(name)[0] ?? null, all, list };
}

const summarySchema = z.looseObject({ id: z.string(), mailboxes: z.array(z.string()), subject: z.string().nullable() });

/** A row of the list of messages, as far as it is needed here. */
export type Summary = z.output<typeof summarySchema>;

export const summariesSchema = z.looseObject({ messages: z.array(summarySchema), next: z.string().nullable() });
export const arrivedSchema = z.looseObject({ arrived: z.array(summarySchema) });
