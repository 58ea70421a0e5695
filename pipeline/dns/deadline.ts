// One deadline over all the questions that one piece of work asks, however many they are.

import type { Resolve } from '#pipeline/contract/ports.ts';
import { dnsError } from './error.ts';

/** See {@link startDeadline}. `wasReached`: a question rejected because of it, so its answer is not known. */
export type Deadline = { readonly resolve: Resolve; readonly wasReached: () => boolean };

/**
 * Asks through `resolve` until `deadlineMs` milliseconds have been waited for answers; what is unanswered then, and whatever is
 * asked later, rejects with `ETIMEOUT`. Questions side by side wait for the same time; what goes into other work while none is
 * asked (a large message is read before its keys are) does not count. `now` in milliseconds.
 */
export function startDeadline(
  resolve: Resolve,
  deadlineMs: number,
  now: () => number = () => performance.now(),
): Deadline {
  let leftMs = deadlineMs; // when nothing was asked last
  let asked = 0;
  let waitingSince = 0;
  let isReached = false;
  const late = (name: string, type: string): Error => {
    isReached = true;
    leftMs = 0; // a timer may fire a little early: who asks next is late all the same
    return dnsError('ETIMEOUT', name, type);
  };
  const left = (): number => (asked === 0 ? leftMs : leftMs - (now() - waitingSince));
  return {
    wasReached: () => isReached,
    resolve: async (name, type) => {
      const waitMs = left();
      if (waitMs <= 0) throw late(name, type);
      if (asked === 0) waitingSince = now();
      asked += 1;
      const deadline = Promise.withResolvers<never>();
      const timer = setTimeout(() => deadline.reject(late(name, type)), waitMs);
      try {
        return await Promise.race([resolve(name, type), deadline.promise]);
      } finally {
        clearTimeout(timer);
        if (asked === 1) leftMs = left();
        asked -= 1;
      }
    },
  };
}
