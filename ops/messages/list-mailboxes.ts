// The mailboxes that have mail, how much of it is unread, and the tags in use.
import { mailboxCountsSchema, type OpsAdmin } from '#ops/admin.ts';
import { json } from '#ops/api/answer.ts';
import { useCase } from '#ops/api/use-case.ts';

export const listMailboxes = useCase({
  about: 'the mailboxes that have mail, unread counts, and tags',
  takes: {},
  gives: mailboxCountsSchema,
  answer: async ({ admin }: { readonly admin: Pick<OpsAdmin, 'mailboxes'> }) => json(await admin.mailboxes()),
});
