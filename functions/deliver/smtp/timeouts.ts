// How long is waited for what (RFC 5321 §4.5.3.2), and the time of an attempt: if a run is ended from outside (a function on AWS), the
// final dot goes out only while the whole wait for its answer still fits in.

/** How long each step of a conversation may take, in milliseconds. */
export type Timeouts = {
  readonly connectMs: number;
  /** The greeting and what comes before MAIL: EHLO, STARTTLS, AUTH. */
  readonly greetMs: number;
  /** MAIL, RCPT and RSET. */
  readonly commandMs: number;
  /** The 354 after DATA. */
  readonly dataMs: number;
  /** One piece of the message. */
  readonly blockMs: number;
};

/** Points in time by `performance.now()`. */
export type AttemptTime = {
  /** No host is called and no transaction begun after this. */
  readonly beginBy: number;
  /** No final dot is sent after this; the message is broken off before it. */
  readonly dotBy: number;
  /** No answer is waited for after this: what came of it must still be recorded. */
  readonly answerBy: number;
  /** How long the answer to a whole message is waited for at least: to give up on it is to not know (RFC 5321 §4.5.3.2.6). */
  readonly finalReplyMs: number;
};

/**
 * What bounds an attempt besides the configuration. `runEndsAt`: when the run is ended from outside, by `performance.now()`; null or
 * absent: nothing ends it. `finalReplyMs`: how long the answer to a whole message is waited for, ten minutes if absent.
 */
export type RunBounds = { readonly runEndsAt?: number | null; readonly finalReplyMs?: number };

const usualFinalReplyMs = 600_000; // RFC 5321 §4.5.3.2.6

const slowestBytesPerMs = 2;
/** What the network's buffers may hold of a message when its last byte is handed to them, and how slowly a peer may take it. */
const bufferedBytes = 16_777_216;
const slowestBufferBytesPerMs = 8;

/**
 * The RFC's minima, and no step longer than its share of the attempt's time. The RFC has no limit for connecting: 30 s is what a
 * packet lost three times needs.
 */
export function timeoutsOf(attemptSeconds: number): Timeouts {
  const attemptMs = attemptSeconds * 1000;
  return {
    connectMs: Math.min(30_000, attemptMs / 4),
    greetMs: Math.min(300_000, attemptMs / 3), // RFC 5321 §4.5.3.2.1
    commandMs: Math.min(300_000, attemptMs / 2), // RFC 5321 §4.5.3.2.2, §4.5.3.2.3
    dataMs: Math.min(120_000, attemptMs / 2), // RFC 5321 §4.5.3.2.4
    blockMs: Math.min(180_000, attemptMs / 2), // RFC 5321 §4.5.3.2.5
  };
}

/** RFC 5321 §4.5.3.2.6: ten minutes for the answer to a message, from when the peer can have it. */
export function finalReplyLimitMs(finalReplyMs: number, bytes: number): number {
  return finalReplyMs + Math.min(bytes, bufferedBytes) / slowestBufferBytesPerMs;
}

/** Lays out an attempt that begins now. */
export function attemptTime(
  attemptSeconds: number,
  { finalReplyMs = usualFinalReplyMs, runEndsAt = null }: RunBounds,
): AttemptTime {
  const answerBy = runEndsAt ?? Number.POSITIVE_INFINITY;
  const dotBy = answerBy - finalReplyMs;
  return { beginBy: Math.min(performance.now() + attemptSeconds * 1000, dotBy), dotBy, answerBy, finalReplyMs };
}

/** How long an attempt may be under way: its lease must not run out before that. */
export function leaseSeconds(
  attemptSeconds: number,
  { bytes, finalReplyMs = usualFinalReplyMs, runEndsAt = null }: RunBounds & { readonly bytes: number },
): number {
  if (runEndsAt !== null) return Math.max(0, (runEndsAt - performance.now()) / 1000);
  return attemptSeconds + (bytes / slowestBytesPerMs + finalReplyLimitMs(finalReplyMs, bytes)) / 1000;
}
