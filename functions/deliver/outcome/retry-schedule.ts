// When a deferred delivery is tried again (RFC 5321 §4.5.4.1): soon at first, then ever more rarely, until it expires.

const jitter = 0.1;

/** What comes after a failed attempt: another one at a time (ISO 8601), or none. */
export type NextAttempt = { readonly outcome: 'retry'; readonly at: string } | { readonly outcome: 'give-up' };

/**
 * Plans the attempt after attempt number `attempt` (from 1), which ended at `now` (milliseconds since 1970).
 * `retrySeconds` are the waits in order, the last one repeats; each is spread by ± 10 % with `random` (0 to 1). The
 * last attempt happens at `expiresAt` (ISO 8601); from then on the answer is `give-up`.
 */
export function nextAttempt(state: {
  readonly attempt: number;
  readonly now: number;
  readonly retrySeconds: readonly number[];
  readonly expiresAt: string;
  readonly random: () => number;
}): NextAttempt {
  const { attempt, now, retrySeconds, random } = state;
  const expiresMs = Date.parse(state.expiresAt);
  if (now >= expiresMs) return { outcome: 'give-up' };
  const last = retrySeconds.length - 1;
  const waitSeconds = retrySeconds[Math.min(Math.max(attempt, 1) - 1, last)] ?? 0;
  const spread = 1 - jitter + 2 * jitter * random();
  const dueMs = Math.min(now + Math.round(waitSeconds * spread * 1_000), expiresMs);
  return { outcome: 'retry', at: new Date(dueMs).toISOString() };
}
