// What an attempt found, for judge-attempt.ts to judge.

import type { DeliveryAttempt } from '#pipeline/contract/records/delivery.ts';

/**
 * What an attempt found. `permanent`: no mail can go there at all. `dsnPassedOn`: accepted by a host that sends
 * notifications itself. `release` gives the connections back: only once the outcome is on record, so that a crash can
 * double at most the one message a connection was at.
 */
export type AttemptFacts = {
  readonly record: Omit<DeliveryAttempt, 'attempt'>;
  readonly permanent: { readonly status: string; readonly reason: string } | null;
  readonly dsnPassedOn: ReadonlySet<string>;
  /** Whether every host there is was asked. */
  readonly isExhausted: boolean;
  /** Another host had no slot free: it is asked again in so many milliseconds. */
  readonly soonMs: number | null;
  /** Destinations whose failure is noted already. */
  readonly noted: ReadonlySet<string>;
  /** Why no host was asked: none may be asked now, the recipients are here and have it, or we are at fault. */
  readonly unasked?: 'unavailable' | 'delivered-locally' | 'own-fault';
  readonly release: () => void;
};

/** The facts of an attempt that asked no host, for a reason that goes on record. */
export function nobodyAsked(
  { at, reason }: { readonly at: number; readonly reason: string | null },
  facts: Partial<Pick<AttemptFacts, 'permanent' | 'isExhausted' | 'unasked'>> = {},
): AttemptFacts {
  return {
    record: { at: new Date(at).toISOString(), seconds: 0, reason, hosts: [] },
    permanent: null,
    dsnPassedOn: new Set(),
    isExhausted: false,
    soonMs: null,
    noted: new Set(),
    release: () => undefined,
    ...facts,
  };
}
