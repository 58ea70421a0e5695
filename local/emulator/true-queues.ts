// What fauxqs' queues lack of SQS's: any waiter may get any part of what comes, a wait ends by the clock that tests set ahead,
// delays over 900 s are refused; and when the next message is due, so that a test can set the clock to that.
import { randomInt } from 'node:crypto';
import type { buildApp } from 'fauxqs';

export type SqsStore = NonNullable<NonNullable<NonNullable<Parameters<typeof buildApp>[0]>['stores']>['sqsStore']>;
type Queue = ReturnType<SqsStore['createQueue']>;

const longestDelaySeconds = 900;

/** `endOverdueWaits`: to be called when the clock was set. `handedOut`: how many messages receivers were given so far. */
export type TrueQueue = { readonly endOverdueWaits: () => void; readonly handedOut: () => number };

/**
 * fauxqs gives all that comes to whoever has waited longest, so one poller gathers everything. Of SQS's waiters any may get any
 * part of it: a long poll ends when it has found something, not when it has found all.
 */
export function makeTrue(queue: Queue): TrueQueue {
  const [wait, dequeue] = [queue.waitForMessages.bind(queue), queue.dequeue.bind(queue)];
  const ends = new WeakMap<Queue['pollWaiters'][number], number>();
  let woken = 0;
  let handedOut = 0;
  queue.waitForMessages = async (seconds) => {
    const over = wait(seconds);
    const latest = queue.pollWaiters.pop();
    if (latest !== undefined) {
      ends.set(latest, Date.now() + seconds * 1_000);
      queue.pollWaiters.splice(randomInt(queue.pollWaiters.length + 1), 0, latest);
    }
    await over;
    woken += 1;
  };
  queue.dequeue = (most, ...rest) => {
    const isWoken = woken > 0;
    if (isWoken) woken -= 1;
    const found = queue.messages.length;
    const given = dequeue(isWoken && found > 1 ? Math.min(most, randomInt(1, found + 1)) : most, ...rest);
    handedOut += given.length;
    return given;
  };
  return {
    handedOut: () => handedOut,
    endOverdueWaits: () => {
      const overdue = queue.pollWaiters.filter((waiter) => (ends.get(waiter) ?? 0) <= Date.now());
      for (const waiter of overdue) {
        queue.pollWaiters.splice(queue.pollWaiters.indexOf(waiter), 1);
        clearTimeout(waiter.timer);
        waiter.resolve();
      }
    },
  };
}

/** When the next hidden or delayed message is due, in milliseconds since 1970; null: there is none. */
export function nextDueAt({ inflightMessages, delayedMessages }: Queue): number | null {
  const hidden = [...inflightMessages.values()].map(({ visibilityDeadline }) => visibilityDeadline);
  const delayed = delayedMessages.map(({ delayUntil }) => delayUntil ?? 0);
  return [...hidden, ...delayed].reduce<number | null>((least, at) => Math.min(least ?? at, at), null);
}

/** Whether a request's body asks for a longer delay than SQS takes. */
export function isDelayTooLong(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  const entries: readonly unknown[] = 'Entries' in body && Array.isArray(body.Entries) ? body.Entries : [body];
  return entries.some((entry) => {
    const seconds = typeof entry === 'object' && entry !== null && 'DelaySeconds' in entry ? entry.DelaySeconds : 0;
    return Number(seconds ?? 0) > longestDelaySeconds;
  });
}
