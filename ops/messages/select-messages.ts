// Which messages an action is about: those that a search finds, or all of a mailbox, a domain or the service. Nothing is
// chosen by leaving everything out.
import { z } from 'zod';
import { isMessageId, type MessageId } from '#mail/header/message-id.ts';
import type { MailAdmin, MessageQuery } from '#ops/admin.ts';
import { type Answer, badParameter } from '#ops/api/answer.ts';
import { mailboxOrDomain, searchText } from '#ops/api/parameters.ts';

const pageSize = 500;
const atOnce = 250;

/** The parameters of an action on many messages: of the list, and `all=true` where neither is given. */
export const selection = {
  mailbox: mailboxOrDomain,
  q: searchText,
  all: z
    .enum(['true', 'false'], 'true or false')
    .default('false')
    .transform((given) => given === 'true'),
};

export type Selection = Pick<MessageQuery, 'mailbox' | 'q'>;

/** What was chosen; 400 if it would be everything and nobody said so. */
export function selected(given: {
  readonly mailbox: string | null;
  readonly q: string;
  readonly all: boolean;
}): Selection | Answer {
  const { mailbox, q, all } = given;
  if (q === '' && mailbox === null && !all) return badParameter('q', 'a search, a mailbox, or all=true for all mail');
  if (all && q !== '') return badParameter('all', 'either a search or all=true');
  return { mailbox, q: q || null };
}

/** `isAll`: all of the selection was worked on. */
export type Worked = { readonly done: number; readonly isAll: boolean };

/**
 * Works on each message of the selection once, some at a time, newest first, until it is late; answers of how many `work` said true.
 * The first ones are always worked on, so that whoever asks again comes to an end.
 */
export async function forEachSelected(
  admin: Pick<MailAdmin, 'messages'>,
  selection: Selection,
  { work, isLate }: { readonly work: (ids: readonly MessageId[]) => Promise<number>; readonly isLate: () => boolean },
): Promise<Worked> {
  let done = 0;
  let after: string | null = null;
  let last: string | null = null;
  do {
    const page: Awaited<ReturnType<MailAdmin['messages']>> = await admin.messages({
      ...selection,
      limit: pageSize,
      after,
    });
    const ids = [...new Set(page.messages.map(({ id }) => id))].filter((id) => id !== last && isMessageId(id));
    for (let at = 0; at < ids.length; at += atOnce) {
      done += await work(ids.slice(at, at + atOnce).filter(isMessageId));
      const isLast = at + atOnce >= ids.length && page.next === null;
      if (!isLast && isLate()) return { done, isAll: false };
    }
    last = page.messages.at(-1)?.id ?? last;
    after = page.next;
  } while (after !== null);
  return { done, isAll: true };
}
