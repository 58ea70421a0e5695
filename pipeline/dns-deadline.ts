// One deadline over all the questions that one piece of work asks, however many they are.
import { dnsError } from './dns-error.ts';
import type { Resolve } from './ports.ts';

/**
 * Asks through `resolve` until `deadlineMs` milliseconds from now have gone by; what is unanswered then, and whatever is
 * asked later, rejects with `ETIMEOUT`.
 */
export function withDeadline(resolve: Resolve, deadlineMs: number): Resolve {
  let endAt = performance.now() + deadlineMs;
  return async (name, type) => {
    const leftMs = endAt - performance.now();
    if (leftMs <= 0) throw dnsError('ETIMEOUT', name, type);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      endAt = 0; // a timer may fire a little early: who asks next is late all the same
      late.reject(dnsError('ETIMEOUT', name, type));
    }, leftMs);
    try {
      return await Promise.race([resolve(name, type), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}
