// The budget of bytes in flight, shared fairly: a peer that opens many messages and sends them slowly delays itself, not others.
import { type ByteBudget, createByteBudget } from './byte-budget.ts';

/** How much of the whole one group of peers may hold. */
const groupShare = 0.25;
/** How much of the whole the beginning of a message is, which never waits: 1,000 connections take a quarter more of it so. */
const beginningShare = 1 / 4_096;

/** `of`: the budget as peers of one group see it; null for peers that are held to the whole alone. */
export type FairBudget = {
  readonly of: (group: string | null) => ByteBudget;
  readonly used: () => number;
};

/** A budget of `limit()` bytes in all, a quarter of it for each group. Groups without an open message are forgotten. */
export function createFairBudget(limit: () => number): FairBudget {
  const beginning = () => limit() * beginningShare;
  const whole = createByteBudget(limit, beginning);
  const groups = new Map<string, { readonly budget: ByteBudget; messages: number }>();

  function openIn(group: string): ReturnType<ByteBudget['open']> {
    const entry = groups.get(group) ?? { budget: createByteBudget(() => limit() * groupShare, beginning), messages: 0 };
    groups.set(group, entry);
    entry.messages += 1;
    const [own, common] = [entry.budget.open(), whole.open()];
    let isReleased = false;
    return {
      take(bytes) {
        const wait = own.take(bytes);
        return wait === undefined ? common.take(bytes) : wait.then(() => common.take(bytes));
      },
      release() {
        if (isReleased) return;
        isReleased = true;
        own.release();
        common.release();
        entry.messages -= 1;
        if (entry.messages === 0) groups.delete(group);
      },
    };
  }

  return {
    of: (group) => (group === null ? whole : { open: () => openIn(group), used: whole.used }),
    used: whole.used,
  };
}
