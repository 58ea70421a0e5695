// The mailboxes that have mail, how much of it is unread, and the tags in use.
import { z } from 'zod';
import type { OpsAdmin } from '#ops/admin.ts';
import { json } from '#ops/api/answer.ts';
import { useCase } from '#ops/api/use-case.ts';

const count = z.number();

/**
 * `mailboxes`: by name (`local@domain`), each with its copies; `messages` and `unread` count each message once, however many
 * mailboxes it is in. `tags`: by name, with the messages that have it.
 */
export const mailboxCountsSchema = z.object({
  mailboxes: z.array(z.object({ name: z.string(), messages: count, unread: count })),
  messages: count,
  unread: count,
  tags: z.array(z.object({ name: z.string(), messages: count })),
});
export type MailboxCounts = Readonly<z.infer<typeof mailboxCountsSchema>>;

export const listMailboxes = useCase({
  about: 'the mailboxes that have mail, unread counts, and tags',
  takes: {},
  gives: mailboxCountsSchema,
  answer: async ({ admin }: { readonly admin: Pick<OpsAdmin, 'mailboxes'> }) => json(await admin.mailboxes()),
});
