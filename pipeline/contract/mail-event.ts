// What is said of a stored message to those who wait for it: EventBridge carries it as the detail of an event, and hooks are
// matched by it. Pure. It is small whatever the message is: EventBridge counts each 64 KiB as an event of its own.
import { z } from 'zod';
import { mailboxSchema } from '#mail/envelope/recipient.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { dispositionSchema } from './jobs.ts';
import { parseMessageKey } from './keys.ts';

export const mailEventVersion = 'mail-event/1';

/** The source and the detail type of the event in EventBridge. */
export const mailEventSource = 'pillarbox';
export const mailEventType = 'Mail stored';

/** The most bytes of JSON that each of these may have; what is over is left out. */
const mostBytes = { subject: 4_096, from: 4_096, to: 16_384, attachmentNames: 16_384, reason: 2_048 } as const;

const cut = z.enum(['subject', 'from', 'to', 'attachmentNames']);

export const mailEventSchema = z
  .strictObject({
    schema: z.literal(mailEventVersion).describe('What this is, and its version.'),
    key: z
      .string()
      .describe(
        'Where the inbox message is. One message for one mailbox has one key: an event that comes again has the same.',
      ),
    bucket: z.string().nullable().describe('The bucket it is in; null on one machine.'),
    id: z.string().describe('The id of the message: the same for all recipients.'),
    receivedAt: z.iso.datetime({ precision: 3 }).describe('When it was accepted, in UTC.'),
    folder: z.enum(['inbox', 'quarantine']).describe('Where policy put it.'),
    domain: z.string().describe('The domain of the mailbox, in A-label form.'),
    mailbox: z.string().describe("The mailbox's name: what stands before the @, in lower case."),
    tag: mailboxSchema.shape.tag.describe('What the address had behind the +; null if nothing.'),
    envelope: z
      .strictObject({ reversePath: z.string(), forwardPath: z.string() })
      .describe('The SMTP envelope of this recipient.'),
    from: z
      .array(z.string())
      .describe('The addresses of the authors, in lower case. Look at `dmarc` before you trust them.'),
    to: z.array(z.string()).describe('The addresses of the field To, in lower case.'),
    subject: z.string().nullable().describe('The Subject, decoded.'),
    spf: z.string().describe('The result of SPF (RFC 8601).'),
    dmarc: z.string().describe('The result of DMARC: `pass` if the author is proven.'),
    disposition: dispositionSchema.describe(
      'What policy decided, and why; with `released` if a person took it out of quarantine.',
    ),
    hasAttachment: z.boolean().describe('Whether it has attachments.'),
    attachmentNames: z.array(z.string()).describe('The names of the attachments, in order.'),
    bytes: z.int().nonnegative().describe('The length of the message as it was received.'),
    truncated: z.array(cut).describe('Which of these fields hold only the beginning of what the message says.'),
  })
  .describe('A message is stored for a mailbox.');

/** Less than 64 KiB of JSON. */
export type MailEvent = Readonly<z.infer<typeof mailEventSchema>>;

/** The event of an inbox message. Whoever sends it from AWS adds the bucket. */
export function mailEventOf(message: InboxMessage, key: string): MailEvent {
  const { id, receivedAt, mailbox, envelope, authentication, disposition, attachments, raw } = message;
  const subject = beginningOf(message.subject ?? '', mostBytes.subject);
  const from = firstOf(addresses(message.from), mostBytes.from);
  const to = firstOf(addresses(message.to), mostBytes.to);
  const names = firstOf(
    attachments.map(({ filename }) => filename),
    mostBytes.attachmentNames,
  );
  const lists = { subject, from, to, attachmentNames: names };
  return {
    schema: mailEventVersion,
    key,
    bucket: null,
    id,
    receivedAt,
    folder: parseMessageKey(key)?.folder ?? 'inbox',
    domain: mailbox.domain,
    mailbox: mailbox.localPart,
    tag: mailbox.tag,
    envelope,
    from: from.kept,
    to: to.kept,
    subject: message.subject === null ? null : subject.kept,
    spf: authentication.spf.result,
    dmarc: authentication.dmarc.result,
    disposition: { ...disposition, reason: beginningOf(disposition.reason, mostBytes.reason).kept },
    hasAttachment: attachments.length > 0,
    attachmentNames: names.kept,
    bytes: raw.bytes,
    truncated: cut.options.filter((name) => lists[name].isCut),
  };
}

function addresses(field: InboxMessage['from']): readonly string[] {
  return field.flatMap(({ address }) => (address === '' ? [] : [address.toLowerCase()]));
}

function firstOf(items: readonly string[], most: number): { readonly kept: string[]; readonly isCut: boolean } {
  const kept: string[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += jsonBytes(item);
    if (bytes > most) return { kept, isCut: true };
    kept.push(item);
  }
  return { kept, isCut: false };
}

function beginningOf(text: string, most: number): { readonly kept: string; readonly isCut: boolean } {
  if (jsonBytes(text) <= most) return { kept: text, isCut: false };
  let kept = '';
  let bytes = 2;
  for (const character of text) {
    bytes += jsonBytes(character) - 2;
    if (bytes > most) break;
    kept += character;
  }
  return { kept, isCut: true };
}

/** With its quotes and escapes. */
function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** Tells whoever listens that a message is stored. Resolves when that is certain to reach them, at least once. */
export type Announce = (event: MailEvent) => Promise<void>;
