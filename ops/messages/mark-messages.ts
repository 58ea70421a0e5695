// Marks: a person says that mail is read, or not, and gives it tags. They are of the message, over all its mailboxes.
import { z } from 'zod';
import { type MessageId, receivedAtOf } from '#mail/header/message-id.ts';
import { isProblem, type Problem, problem } from '#mail/problem.ts';
import { type Answer, isAnswer, json, notFound, refusal } from '#ops/api/answer.ts';
import { cursor, messageId, parsed } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import type { MailDeps } from '#ops/deps.ts';
import type { Clock } from '#pipeline/contract/ports.ts';
import { type Marks, marksRecord, newMarks } from '#pipeline/contract/records/marks.ts';
import { parseSearch } from './search-query.ts';
import { type Counts, countSelected, forEachSelected, selected, selection } from './select-messages.ts';

type Deps = {
  readonly admin: Pick<MailDeps['admin'], 'messages' | 'findMessage'>;
  readonly store: Pick<MailDeps['store'], 'get' | 'put'>;
};
type CountingDeps = Deps & { readonly admin: Counts; readonly clock: Clock };

/** Of one message; and in characters. */
export const maxTags = 20;
export const maxTagLength = 50;
const givesOne = z.object({ id: z.string(), read: z.boolean(), tags: z.array(z.string()) });

/**
 * `marked`: messages whose mark changed. `left`: as many may be left for the next request; null: there are some, and nobody has counted them.
 * `next`: what that request gives as `after`, null at the end. So what comes in meanwhile is not marked, and the end is reached.
 */
export const markedSome = z.object({ marked: z.number(), left: z.number().nullable(), next: z.string().nullable() });

export const markRead = markingOne('mark one message as read', true);
export const markUnread = markingOne('mark one message as unread', false);
export const markAllRead = markingMany(
  'mark as read what a search finds, the mail of a mailbox, or all (all=true)',
  true,
);
export const markAllUnread = markingMany('mark as unread, likewise', false);

/** They replace those it has; none are given to take all away. */
export const tagMessage = useCase({
  about: 'set the tags of one message: `tags=a,b`; empty: none',
  takes: {
    ID: messageId,
    tags: parsed(`at most ${maxTags} tags of ${maxTagLength} characters, with commas between them`, readTags, 1_100),
  },
  gives: givesOne,
  refuses: ['changed'],
  answer: (deps: Deps, { ID: id, tags }) => markOne(deps, id, (marks) => ({ ...marks, tags })),
});

function markingOne(about: string, read: boolean) {
  return useCase({
    about,
    takes: { ID: messageId },
    gives: givesOne,
    refuses: ['changed'],
    answer: (deps: Deps, { ID: id }) => markOne(deps, id, (marks) => ({ ...marks, read })),
  });
}

function markingMany(about: string, read: boolean) {
  return useCase({
    about,
    takes: { ...selection, after: cursor((given) => given) },
    gives: markedSome,
    answer: async (deps: CountingDeps, { after = null, ...given }) => {
      const chosen = selected(given);
      if (isAnswer(chosen)) return chosen;
      const change = (marks: Marks): Marks => ({ ...marks, read });
      const work = async (ids: readonly MessageId[]): Promise<number> => {
        const outcomes = await Promise.all(ids.map((id) => changeMarks(deps, id, change)));
        return outcomes.filter((outcome) => outcome?.isChanged).length;
      };
      const q = thoseNotMarked(chosen.q, read);
      const { done, next } = await forEachSelected(deps, { ...chosen, q, after }, work);
      const toMark = ({ messages, unread }: { readonly messages: number; readonly unread: number }): number =>
        read ? unread : messages - unread;
      const left = next === null ? 0 : await countSelected(deps.admin, chosen, toMark);
      return json({ marked: done, left, next });
    },
  });
}

/** The search without what has the mark already. A search that has no room for another word stays as it is. */
function thoseNotMarked(q: string | null, read: boolean): string {
  const narrowed = `is:${read ? 'unread' : 'read'} ${q ?? ''}`;
  return q !== null && isProblem(parseSearch(narrowed)) ? q : narrowed;
}

async function markOne(deps: Deps, id: MessageId, change: (marks: Marks) => Marks): Promise<Answer> {
  if ((await deps.admin.findMessage(id)).length === 0) return notFound(`message ${id} is in no mailbox here`);
  const outcome = await changeMarks(deps, id, change);
  if (outcome === null) return refusal(409, 'changed', `the marks of ${id} have just changed: try again`);
  const { read, tags } = outcome.marks;
  return json({ id, read, tags });
}

type Changed = { readonly marks: Marks; readonly isChanged: boolean };

/** Null if others changed them at the same time, again and again. */
async function changeMarks(
  { store }: Pick<Deps, 'store'>,
  id: MessageId,
  change: (marks: Marks) => Marks,
): Promise<Changed | null> {
  let isChanged = false;
  const marks = await marksRecord.change(store, marksRecord.key({ id, receivedAt: receivedAtOf(id) }), (found) => {
    const before = found ?? newMarks(id);
    const { read, tags } = change(before);
    isChanged = read !== before.read || tags.join() !== before.tags.join();
    return found !== null && !isChanged ? found : { ...before, read, tags: [...tags] };
  });
  return marks === null ? null : { marks, isChanged };
}

function readTags(given: string): readonly string[] | Problem {
  const tags = [
    ...new Set(
      given
        .split(',')
        .map((tag) => tag.trim())
        .filter(Boolean),
    ),
  ];
  const isGood = (tag: string): boolean => tag.length <= maxTagLength && !/[\p{Cc}"]/u.test(tag);
  return tags.length <= maxTags && tags.every(isGood) ? tags : problem('too many, too long, or with a quote in it');
}
