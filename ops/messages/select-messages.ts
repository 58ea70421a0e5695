// Which messages an action is about: those that a search finds, or all of a mailbox, a domain or the service. Nothing is
// chosen by leaving everything out.
import { z } from 'zod';
import { isMessageId, type MessageId } from '#mail/header/message-id.ts';
import type { MailAdmin, MailboxCounts, MessagePage, MessageQuery, OpsAdmin } from '#ops/admin.ts';
import { type Answer, badParameter } from '#ops/api/answer.ts';
import { mailboxOrDomain, searchText } from '#ops/api/parameters.ts';
import type { Clock } from '#pipeline/contract/ports.ts';

const atOnce = 250;
/** A request is answered after this long, whatever is left: no client waits without knowing. */
const workMs = 5_000;

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

/** How many messages `work` said true of. `next`: where the next request goes on; null if all of the selection was worked on. */
export type Worked = { readonly done: number; readonly next: string | null };

/**
 * Works on each message of the selection once, some at a time, newest first, for five seconds. The first ones are always worked on, so that
 * whoever asks again comes to an end.
 */
export async function forEachSelected(
  { admin, clock }: { readonly admin: Pick<MailAdmin, 'messages'>; readonly clock: Clock },
  { after, ...chosen }: Selection & Pick<MessageQuery, 'after'>,
  work: (ids: readonly MessageId[]) => Promise<number>,
): Promise<Worked> {
  const end = clock() + workMs;
  let done = 0;
  let next = after;
  let last: string | null = null;
  do {
    const page: MessagePage = await admin.messages({ ...chosen, limit: atOnce, after: next });
    const ids = [...new Set(page.messages.map(({ id }) => id))].filter((id) => id !== last);
    done += await work(ids.filter(isMessageId));
    last = page.messages.at(-1)?.id ?? last;
    next = page.next;
  } while (next !== null && clock() < end);
  return { done, next };
}

/** What has the counts; on AWS nothing has. */
export type Counts = Partial<Pick<OpsAdmin, 'mailboxes'>>;

/**
 * How much of a selection there is: messages, or copies in a mailbox, as `of` counts them. Null if nobody counts that; never 0, since it is
 * asked while there is something.
 */
export async function countSelected(
  admin: Counts,
  { mailbox, q }: Selection,
  of: (counts: Pick<MailboxCounts, 'messages' | 'unread'>) => number,
): Promise<number | null> {
  if (q !== null || admin.mailboxes === undefined) return null;
  const counts = await admin.mailboxes();
  if (mailbox === null) return of(counts) || null;
  const isChosen = (name: string): boolean => (mailbox.startsWith('@') ? name.endsWith(mailbox) : name === mailbox);
  const chosen = counts.mailboxes.filter(({ name }) => isChosen(name));
  return chosen.reduce((sum, one) => sum + of(one), 0) || null;
}
