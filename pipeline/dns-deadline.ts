// One deadline over all the questions that one piece of work asks, however many they are.
import { dnsError } from './dns-error.ts';
import type { Resolve } from './ports.ts';

/** See {@link startDeadline}. `wasReached`: a question rejected because of it, so its answer is not known. */
export type Deadline = { readonly resolve: Resolve; readonly wasReached: () => boolean };

/**
 * Asks through `resolve` until `deadlineMs` milliseconds from now have gone by; what is unanswered then, and whatever is
 * asked later, rejects with `ETIMEOUT`.
 */
export function startDeadline(resolve: Resolve, deadlineMs: number): Deadline {
  let endAt = performance.now() + deadlineMs;
  let isReached = false;
  const late = (name: string, type: string): Error => {
    isReached = true;
    endAt = 0; // a timer may fire a little early: who asks next is late all the same
    return dnsError('ETIMEOUT', name, type);
  };
  return {
    wasReached: () => isReached,
    resolve: async (name, type) => {
      const leftMs = endAt - performance.now();
      if (leftMs <= 0) throw late(name, type);
      const deadline = Promise.withResolvers<never>();
      const timer = setTimeout(() => deadline.reject(late(name, type)), leftMs);
      try {
        return await Promise.race([resolve(name, type), deadline.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
