// Waits for a message: answers the moment it is in a mailbox. It looks once at what is there already, and is told of what comes
// then: nothing is asked again and again. What comes is read once, however many wait. A message that is there may begin to fit: when it is
// tagged or read, or has left its quarantine.
import { isProblem } from '#mail/problem.ts';
import type { MessageQuery, OpsAdmin } from '#ops/admin.ts';
import { isMailKey, isMarksKey, messageIdOf } from '#pipeline/contract/keys.ts';
import type { Log } from '#pipeline/contract/ports.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import type { MarkedSummary } from './message-summary.ts';
import { parseSearch } from './search-query.ts';

/**
 * What is waited for; null: any. `to`: a recipient, an address or a part of one (its mailbox here, or as To says); `from` and
 * `subject`: the author, the subject, or a part of them. Case does not matter. `q`: as in the list of messages. `after`
 * (ISO 8601): not what came before.
 */
export type Wanted = {
  readonly to: string | null;
  readonly from: string | null;
  readonly subject: string | null;
  readonly q: string | null;
  readonly after: string | null;
};

/** `arrived`: what came meanwhile, newest first, at most 20 copies. `gone`: nobody waits any more. `full`: too many wait already. */
export type Waited =
  | { readonly outcome: 'found'; readonly summary: MarkedSummary }
  | { readonly outcome: 'timeout'; readonly arrived: readonly MarkedSummary[] }
  | { readonly outcome: 'gone' | 'full' };

export type MessageWaiters = {
  /** Waits at most so long (milliseconds), or until `gone` is aborted. Rejects if the mail that is there cannot be read. */
  readonly wait: (wanted: Wanted, until: { readonly timeoutMs: number; readonly gone: AbortSignal }) => Promise<Waited>;
};

/** `reconsider`: is it wanted now? `hasSearch`: only then can it be, if it was not before. */
type Waiter = {
  readonly hasSearch: boolean;
  readonly offer: (summary: MarkedSummary) => void;
  readonly reconsider: (summary: MarkedSummary) => void;
};

const maxWaiters = 200;
const maxArrived = 20;
/** Of a message that is told of again. */
const maxCopies = 20;
const pageSize = 100;
/** Of what the search finds, so many rows are looked at, newest first. */
const maxLookedAt = 2_000;

/** Nobody waits yet; mail is watched only while somebody does. */
export function createMessageWaiters({
  admin,
  log,
}: {
  readonly admin: Pick<OpsAdmin, 'messages' | 'summary' | 'findMessage' | 'watch' | 'watchDeleted'>;
  readonly log: Pick<Log, 'warn'>;
}): MessageWaiters {
  const waiters = new Set<Waiter>();
  let stopWatching: (() => void) | null = null;

  const tell = async (key: string): Promise<void> => {
    const summary = await admin.summary(key);
    if (summary !== null) for (const waiter of waiters) waiter.offer(summary);
  };
  /** Its marks changed, or it lost a copy. */
  const tellAgain = async (key: string): Promise<void> => {
    const searching = [...waiters].filter(({ hasSearch }) => hasSearch);
    const id = searching.length === 0 ? null : messageIdOf(key);
    for (const copy of id === null ? [] : (await admin.findMessage(id)).slice(0, maxCopies)) {
      const summary = await admin.summary(copy);
      if (summary !== null) for (const waiter of searching) waiter.reconsider(summary);
    }
  };
  const safely = (key: string, telling: Promise<void>): void => {
    telling.catch((thrown: unknown) => log.warn('ops-event-lost', { key, ...errorFields(thrown) }));
  };
  const join = (waiter: Waiter): void => {
    waiters.add(waiter);
    if (stopWatching !== null) return;
    const stops = [
      admin.watch((key) => {
        if (isMailKey(key)) safely(key, tell(key));
        else if (isMarksKey(key)) safely(key, tellAgain(key));
      }),
      admin.watchDeleted((key) => safely(key, tellAgain(key))),
    ];
    stopWatching = () => {
      for (const stop of stops) stop();
    };
  };
  const leave = (waiter: Waiter): void => {
    waiters.delete(waiter);
    if (waiters.size > 0) return;
    stopWatching?.();
    stopWatching = null;
  };
  return {
    wait: (wanted, { timeoutMs, gone }) => {
      if (waiters.size >= maxWaiters) return Promise.resolve({ outcome: 'full' });
      if (gone.aborted) return Promise.resolve({ outcome: 'gone' });
      const { promise, resolve, reject } = Promise.withResolvers<Waited>();
      const arrived: MarkedSummary[] = [];
      const reconsider = (summary: MarkedSummary): void => {
        isWanted(admin, wanted, summary).then((is) => is && resolve({ outcome: 'found', summary }), reject);
      };
      const waiter: Waiter = {
        hasSearch: wanted.q !== null,
        offer: (summary) => {
          arrived.unshift(summary);
          if (arrived.length > maxArrived) arrived.pop();
          reconsider(summary);
        },
        reconsider,
      };
      const leaving = (): void => resolve({ outcome: 'gone' });
      const timer = setTimeout(() => {
        resolve({ outcome: 'timeout', arrived });
      }, timeoutMs);
      gone.addEventListener('abort', leaving, { once: true });
      join(waiter);
      // It looks once it is told of what comes: nothing falls between.
      findStored(admin, wanted).then((summary) => summary && resolve({ outcome: 'found', summary }), reject);
      return promise.finally(() => {
        clearTimeout(timer);
        gone.removeEventListener('abort', leaving);
        leave(waiter);
      });
    },
  };
}

type Search = Pick<OpsAdmin, 'messages'>;

/** The newest message that is there already, or null. The search narrows it down, so that few rows are looked at. */
async function findStored(admin: Search, wanted: Wanted): Promise<MarkedSummary | null> {
  const recipients = wanted.to === null ? [''] : [field('to', wanted.to), field('mailbox', wanted.to)];
  const found = await Promise.all(recipients.map((recipient) => findIn(admin, wanted, narrowed(wanted, recipient))));
  const [newest] = found.filter((summary) => summary !== null).toSorted((one, other) => (one.id < other.id ? 1 : -1));
  return newest ?? null;
}

async function findIn(admin: Search, wanted: Wanted, q: string | null): Promise<MarkedSummary | null> {
  let after: MessageQuery['after'] = null;
  let lookedAt = 0;
  do {
    const page = await admin.messages({ mailbox: null, q, limit: pageSize, after });
    for (const summary of page.messages) {
      if (isEarlier(wanted, summary)) return null;
      if (matches(wanted, summary)) return summary;
    }
    lookedAt += page.messages.length;
    after = page.messages.length === 0 ? null : page.next;
  } while (after !== null && lookedAt < maxLookedAt);
  return null;
}

/** `q` with the other wishes as fields of a search; `q` alone if that would be too much for one. */
function narrowed({ q, from, subject }: Wanted, recipient: string): string | null {
  const fields = [recipient, field('from', from), field('subject', subject)].filter((text) => text !== '');
  const whole = [q ?? '', ...fields].join(' ').trim();
  return isProblem(parseSearch(whole)) ? q : whole || null;
}

/** A quote cannot stand in a phrase: then the search does not narrow by it. */
function field(name: string, text: string | null): string {
  return text === null || text.includes('"') ? '' : `${name}:"${text}"`;
}

/** Whether a message that came is it: `q` is left to the search that the list has. */
async function isWanted(admin: Search, wanted: Wanted, summary: MarkedSummary): Promise<boolean> {
  if (isEarlier(wanted, summary) || !matches(wanted, summary)) return false;
  if (wanted.q === null) return true;
  const page = await admin.messages({ mailbox: null, q: `id:${summary.id} ${wanted.q}`, limit: 1, after: null });
  return page.messages.some(({ id }) => id === summary.id);
}

function isEarlier({ after }: Wanted, { receivedAt }: MarkedSummary): boolean {
  return after !== null && receivedAt < after;
}

function matches({ to, from, subject }: Wanted, summary: MarkedSummary): boolean {
  return (
    isPart(to, [addressOf(summary), summary.mailbox, ...summary.to]) &&
    isPart(from, [summary.from ?? '']) &&
    isPart(subject, [summary.subject ?? ''])
  );
}

/** The mailbox with the tag that the sender wrote. */
function addressOf({ mailbox, tag }: MarkedSummary): string {
  return tag === null ? mailbox : mailbox.replace(/@(?=[^@]*$)/, `+${tag}@`);
}

function isPart(wanted: string | null, texts: readonly string[]): boolean {
  return wanted === null || texts.some((text) => text.toLowerCase().includes(wanted.toLowerCase()));
}
