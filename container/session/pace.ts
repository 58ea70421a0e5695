// Says whether a peer has used up its time: by silence, by a session that never ends, by a message that comes too slowly. Asked
// by a sweep, so that no timer is set for each command or message.
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';

/** A message must come at this rate, on average over each idle time (octets a second). */
const minBytesPerSecond = 100;

export type PaceKeeper = {
  /** It is the peer's turn from now on. */
  readonly turn: () => void;
  readonly messageBegins: () => void;
  readonly messageBytes: (bytes: number) => void;
  readonly sinceTurnMs: () => number;
  /** The reply that ends the session, or null if the peer is in time. Not to be asked while the peer waits for us. */
  readonly judge: (limits: {
    readonly idleSeconds: number;
    readonly sessionSeconds: number;
    readonly isInMessage: boolean;
  }) => Reply | null;
};

/** Starts with the connection. `now`: milliseconds of a clock that never goes back. */
export function createPace(now: () => number): PaceKeeper {
  const openedAt = now();
  let turnAt = openedAt;
  let windowAt = openedAt;
  let windowBytes = 0;

  /** A window of `idleSeconds` in which too little came is the end; else the next window begins. */
  function isTooSlow(idleSeconds: number): boolean {
    if (now() - windowAt < idleSeconds * 1_000) return false;
    if (windowBytes < idleSeconds * minBytesPerSecond) return true;
    windowAt = now();
    windowBytes = 0;
    return false;
  }

  return {
    turn: () => {
      turnAt = now();
    },
    messageBegins: () => {
      windowAt = now();
      windowBytes = 0;
    },
    messageBytes: (bytes) => {
      windowBytes += bytes;
    },
    sinceTurnMs: () => now() - turnAt,
    judge({ idleSeconds, sessionSeconds, isInMessage }) {
      if (now() - openedAt > sessionSeconds * 1_000) return replies.sessionTimeout;
      if (isInMessage) return isTooSlow(idleSeconds) ? replies.dataTimeout : null;
      return now() - turnAt > idleSeconds * 1_000 ? replies.idleTimeout : null;
    },
  };
}
