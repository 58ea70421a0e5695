// Which mail somebody wants to be told of: the same words in `hooks` of the configuration and in `MailRule` of cdk/. Pure.
import { z } from 'zod';
import type { MailEvent } from './mail-event.ts';

const pattern = z.string().min(1).max(500);
const patterns = z.union([pattern, z.array(pattern).min(1)], { error: 'expected a text, or an array of texts' });

export const mailMatchSchema = z.strictObject({
  domain: patterns.optional().describe('The domain of the mailbox, in A-label form.'),
  mailbox: patterns.optional().describe("The mailbox's name, before the @."),
  tag: patterns.optional().describe('What the address had behind the +.'),
  folder: z
    .enum(['inbox', 'quarantine'])
    .default('inbox')
    .describe('`quarantine`: mail that policy withheld, instead.'),
  from: patterns.optional().describe('The address of an author.'),
  to: patterns.optional().describe('An address in the field To.'),
  subject: patterns.optional().describe('The subject. Upper and lower case are told apart.'),
  verdict: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe('The result of DMARC: `pass` if the author is proven.'),
  hasAttachment: z.boolean().optional().describe('Whether it has an attachment.'),
  attachmentName: patterns.optional().describe('The name of an attachment.'),
});

/**
 * All that is given must fit, and of several values one of them. `*` stands for any text; everything else for itself.
 * Domains, mailboxes and addresses are compared in lower case.
 */
export type MailMatch = Readonly<z.input<typeof mailMatchSchema>>;

/** The field of the event that each is compared with, and whether in lower case. */
export const comparedWith = {
  domain: { field: 'domain', isLowerCase: true },
  mailbox: { field: 'mailbox', isLowerCase: true },
  tag: { field: 'tag', isLowerCase: false },
  from: { field: 'from', isLowerCase: true },
  to: { field: 'to', isLowerCase: true },
  subject: { field: 'subject', isLowerCase: false },
  verdict: { field: 'dmarc', isLowerCase: true },
  attachmentName: { field: 'attachmentNames', isLowerCase: false },
} as const satisfies Partial<
  Record<keyof MailMatch, { readonly field: keyof MailEvent; readonly isLowerCase: boolean }>
>;

/** What is compared, as a list of patterns for each field of the event. */
export function wantedOf(
  match: MailMatch,
): readonly { readonly field: keyof MailEvent; readonly patterns: string[] }[] {
  const names = Object.keys(comparedWith).filter((name) => isCompared(name));
  return names.flatMap((name) => {
    const given = match[name];
    if (given === undefined) return [];
    const { field, isLowerCase } = comparedWith[name];
    return [{ field, patterns: [given].flat().map((text) => (isLowerCase ? text.toLowerCase() : text)) }];
  });
}

/** Whether somebody who wants this mail is to be told of the event. */
export function isWanted(match: MailMatch, event: MailEvent): boolean {
  const { folder = 'inbox', hasAttachment = event.hasAttachment } = match;
  if (folder !== event.folder || hasAttachment !== event.hasAttachment) return false;
  return wantedOf(match).every(({ field, patterns: wanted }) => {
    const values = [event[field]].flat().filter((value) => typeof value === 'string');
    return values.some((value) => wanted.some((text) => fits(text, value)));
  });
}

function isCompared(name: string): name is keyof typeof comparedWith {
  return Object.hasOwn(comparedWith, name);
}

/** Linear in the value for each star: no regular expression is made of what somebody wrote. */
function fits(text: string, value: string): boolean {
  const [first = '', ...rest] = text.split('*');
  if (rest.length === 0) return value === text;
  const last = rest.pop() ?? '';
  if (!value.startsWith(first) || value.length < first.length + last.length || !value.endsWith(last)) return false;
  const end = value.length - last.length;
  let at = first.length;
  for (const part of rest) {
    const found = value.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
