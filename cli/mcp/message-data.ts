// What of a message an agent gets as data: what the text of an answer is made of (tell-message.ts), readable and cut in the same way.
import { z } from 'zod';
import type { FoundLink } from '#ops/content/find-links.ts';
import { bodyKinds, type Mail, mailboxOf } from './mail-content.ts';
import { mailOutput, outputs } from './mail-tool.ts';
import { oneLine } from './readable.ts';

const mostAddresses = 20;

/** `label`: what a reader sees of it. */
export const linkSchema = z.strictObject({
  number: z.int(),
  address: z.string(),
  label: z.string(),
  labelNamesAnotherHost: z.boolean(),
});

export type Link = z.output<typeof linkSchema>;

export const attachmentSchema = z.strictObject({
  number: z.int().describe('For read_attachment.'),
  filename: z.string(),
  contentType: z.string(),
  bytes: z.int(),
  inline: z.boolean().describe('Whether it is shown within the HTML.'),
});

export type Attachment = z.output<typeof attachmentSchema>;

const addresses = z.array(z.string()).readonly();

const fieldsSchema = z.strictObject({
  from: addresses,
  to: addresses,
  cc: addresses,
  replyTo: addresses,
  subject: z.string().nullable(),
  date: z.string().nullable().describe('As the sender gives it.'),
  mailbox: z.string().describe('Where this copy is stored here.'),
  oneTimeCode: z.string().nullable(),
});

/** Header fields in the words of the mail, except where it is stored here, and the code that was found in it. */
export type MainFields = z.output<typeof fieldsSchema>;

export const headerSchema = z.strictObject({ name: z.string(), value: z.string() });
export type HeaderField = z.output<typeof headerSchema>;

/** The page of the text, and on the first page also what else a message has; a list that has no room has its beginning. */
export const messageOutput = mailOutput(
  {
    id: outputs.id,
    receivedAt: z.string(),
    bytes: z.int(),
    isQuarantined: z.boolean(),
    body: z.enum(bodyKinds).nullable().describe('Which body "text" is of; null: it has none.'),
    offset: outputs.offset,
    next: outputs.next,
  },
  {
    text: z.string().nullable(),
    ...fieldsSchema.partial().shape,
    links: z.array(linkSchema).readonly().optional(),
    attachments: z.array(attachmentSchema).readonly().optional(),
    headers: z.array(headerSchema).readonly().optional(),
    problems: z.array(z.string()).readonly().optional().describe('That were noted while it was read.'),
  },
);

export type MessageData = z.output<typeof messageOutput>;

export function mainFields(mail: Mail, code: string | null): MainFields {
  const { subject, from, to, cc, replyTo, date } = mail;
  return {
    from: shownAddresses(from),
    to: shownAddresses(to),
    cc: shownAddresses(cc),
    replyTo: shownAddresses(replyTo),
    subject: subject === null ? null : oneLine(subject, 500),
    date,
    mailbox: oneLine(mailboxOf(mail)),
    oneTimeCode: code,
  };
}

function shownAddresses(list: Mail['from']): readonly string[] {
  const shown = list.slice(0, mostAddresses).map(({ name, address }) => oneLine(`${name} <${address}>`, 200));
  const more = list.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])];
}

export function headerField({ name, value }: Mail['headers'][number]): HeaderField {
  return { name: oneLine(name, 100), value: oneLine(value, 1_000) };
}

export function attachmentOf(
  { filename, contentType, bytes, inline }: Mail['attachments'][number],
  at: number,
): Attachment {
  return { number: at + 1, filename: oneLine(filename, 200), contentType: oneLine(contentType, 100), bytes, inline };
}

export function linkOf({ address, label }: FoundLink, at: number): Link {
  return {
    number: at + 1,
    address: oneLine(address, 2_000),
    label: oneLine(label, 200),
    labelNamesAnotherHost: misleads(address, label),
  };
}

/** Whether the label is an address on a host that is neither that of the link, nor above or below it. */
function misleads(address: string, label: string): boolean {
  const named = /^(?:https?:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?:[:/?#]\S*)?$/iu.exec(label.trim())?.[1];
  if (named === undefined || !URL.canParse(address) || !URL.canParse(`http://${named}`)) return false;
  const [leads, says] = [new URL(address).hostname, new URL(`http://${named}`).hostname];
  return leads !== says && !leads.endsWith(`.${says}`) && !says.endsWith(`.${leads}`);
}
