// What is done to all mail that the search finds. Much of it takes several requests: the page says how far it is, goes on when the
// server is back, and can be used meanwhile.
import { signal } from '@preact/signals';
import { api, type DeletedSome, failureOf, type MarkedSome } from '#ops/console/app/shell/api.ts';
import { lookAgain, mailboxes } from '#ops/console/app/shell/live.ts';
import { complain, confirm, tell, tellProgress } from '#ops/console/app/shell/notices.tsx';
import { place, search } from '#ops/console/app/shell/router.ts';
import { counted } from '#ops/console/app/text/figures.ts';
import { searchParameters } from '#ops/console/app/text/search-words.ts';
import { backToList, mark } from './actions.ts';
import { change, list } from './list-state.ts';

/** One such work at a time. */
export const isAtWork = signal(false);

const triesWithoutServer = 30;
const tryAgainMs = 4_000;

/** `next`: what the request behind it is given, null after the last one. */
type Step = { readonly done: number; readonly left: number | null; readonly next: string | null };
type Work = {
  /** What is being done: `Deleting`. */
  readonly doing: string;
  /** What was done: `deleted`. */
  readonly did: string;
  readonly step: (after: string | null) => Promise<Step>;
};

/** After a question. */
export function removeFound(): void {
  const { what, query } = found();
  const { id } = place.value;
  confirm({
    title: query.has('all') ? 'Delete all mail?' : 'Delete what was found?',
    text: `This deletes ${what}, with attachments and stored bytes. It cannot be undone.`,
    action: 'Delete',
    yes: () =>
      void workThrough({ doing: 'Deleting', did: 'deleted', step: () => deleteSome(query) }, () => {
        if (place.value.id === id) backToList();
      }),
  });
}

/** At once if it can be taken back, which is so if all that is unread is loaded; otherwise after a question. */
export function markFound(): void {
  const { what, query } = found();
  const { messages, next } = list.value;
  const unread = messages.filter(({ read }) => !read).map(({ id }) => id);
  const isLoaded = next === null || (query.has('all') && unread.length === mailboxes.value.unread);
  const go = (undo: (() => void) | null): void => {
    change(unread, { read: true });
    const step = (after: string | null) => markSome(query, after);
    void workThrough({ doing: 'Marking as read', did: 'marked as read', step }, () => {}, undo);
  };
  if (isLoaded) {
    go(() => {
      for (const id of unread) mark(id, false, false);
    });
    return;
  }
  confirm({
    title: 'Mark all as read?',
    text: `This marks ${what} as read, also what is not loaded here. It cannot be undone.`,
    action: 'Mark as read',
    yes: () => go(null),
  });
}

function found(): { readonly what: string; readonly query: URLSearchParams } {
  const q = search.value.trim();
  if (q === '') return { what: 'all mail', query: new URLSearchParams({ all: 'true' }) };
  return { what: `all mail that matches “${q}”`, query: searchParameters(q) };
}

async function deleteSome(query: URLSearchParams): Promise<Step> {
  const { deleted, left } = await api<DeletedSome>(`/api/messages?${query}`, 'DELETE');
  return { done: deleted, left, next: left === 0 ? null : '' };
}

async function markSome(query: URLSearchParams, after: string | null): Promise<Step> {
  const asked = new URLSearchParams(query);
  if (after !== null) asked.set('after', after);
  const { marked, left, next } = await api<MarkedSome>(`/api/messages/read?${asked}`, 'POST');
  return { done: marked, left, next };
}

async function workThrough(
  { doing, did, step }: Work,
  then: () => void,
  undo: (() => void) | null = null,
): Promise<void> {
  isAtWork.value = true;
  try {
    let sum = 0;
    let next: string | null = null;
    do {
      const { done, left, next: following } = await persistently(() => step(next), doing);
      sum += done;
      next = following;
      const rest = left === null ? '' : `, ${left.toLocaleString('en')} left`;
      if (next !== null) tellProgress(`${doing}: ${counted(sum, 'message')} so far${rest} …`);
    } while (next !== null);
    tell(`${counted(sum, 'message')} ${did}`, sum === 0 ? null : undo);
    then();
  } catch (thrown) {
    complain(thrown);
  } finally {
    tellProgress(null);
    isAtWork.value = false;
    lookAgain();
  }
}

/** Tries again for two minutes while the server is away: what was done is not done twice. */
async function persistently<Answer>(ask: () => Promise<Answer>, doing: string): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (thrown) {
      if (failureOf(thrown).code !== 'unreachable' || tries >= triesWithoutServer) throw thrown;
      tellProgress(`${doing}: the server does not answer, trying again …`);
      await new Promise((resolve) => setTimeout(resolve, tryAgainMs));
    }
  }
}
