// How many bytes of unfinished messages may be held at once, over all sessions. A message that would exceed it waits,
// and its sender with it. One waiting message at a time may go over, so that waiting messages cannot all hold each other up.
// The beginning of a message never waits: ordinary mail is let through while large messages fill the budget and stall.

/** What one message has taken; `release` gives it back (calling it twice is harmless). */
export type BudgetShare = {
  /** Takes `bytes` more: at once (undefined), or when the promise resolves. One call at a time. */
  readonly take: (bytes: number) => Promise<void> | undefined;
  readonly release: () => void;
};

export type ByteBudget = {
  readonly open: () => BudgetShare;
  readonly used: () => number;
};

/** What of one message is in memory at most: the store writes larger ones through in parts (bytes). */
const maxSharePerMessage = 8_388_608;

type Waiter = { readonly share: object; readonly bytes: number; readonly go: () => void };

/**
 * A budget of `limit()` bytes, asked anew each time, so that a changed configuration holds. The first `beginning()` bytes of
 * each message are counted but never wait.
 */
export function createByteBudget(limit: () => number, beginning: () => number = () => 0): ByteBudget {
  let used = 0;
  let privileged: object | null = null;
  const waiting: Waiter[] = [];

  /** Admits waiting messages that fit, in order; if none is privileged, the first of them becomes so. */
  function admit(): void {
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      if (used + first.bytes > limit() && privileged !== null && privileged !== first.share) return;
      if (used + first.bytes > limit()) privileged = first.share;
      waiting.shift();
      used += first.bytes;
      first.go();
    }
  }

  function open(): BudgetShare {
    const share = {};
    let held = 0;
    let isReleased = false;
    return {
      take(bytes) {
        const more = Math.min(bytes, maxSharePerMessage - held);
        if (more <= 0 || isReleased) return undefined;
        held += more;
        const fits = waiting.length === 0 && used + more <= limit();
        if (fits || privileged === share || held <= beginning()) {
          used += more;
          return undefined;
        }
        return new Promise((resolve) => {
          waiting.push({ share, bytes: more, go: resolve });
          admit();
        });
      },
      release() {
        if (isReleased) return;
        isReleased = true;
        if (privileged === share) privileged = null;
        const index = waiting.findIndex((waiter) => waiter.share === share);
        const [left] = index < 0 ? [] : waiting.splice(index, 1);
        used -= held - (left?.bytes ?? 0);
        left?.go();
        admit();
      },
    };
  }

  return { open, used: () => used };
}
