// A stopwatch that counts only while it is set to run, and calls back when it reaches a limit.

/** `set` says whether time counts from now on. */
export type Stopwatch = { readonly set: (runs: boolean) => void };

/** Counts the time in which it is set to run; calls `soft` once, then `hard` once, each when so much has been counted. */
export function createStopwatch(
  { budgetMs, softMs }: { readonly budgetMs: number; readonly softMs: number | null },
  call: { readonly soft: () => void; readonly hard: () => void },
): Stopwatch {
  let countedMs = 0;
  let since: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  const soft = softMs === null || softMs >= budgetMs ? [] : [{ atMs: softMs, call: call.soft }];
  const ahead = [...soft, { atMs: budgetMs, call: call.hard }];
  const counted = (): number => countedMs + (since === null ? 0 : performance.now() - since);
  const arm = (): void => {
    clearTimeout(timer);
    const [next] = ahead;
    if (since === null || next === undefined) return;
    timer = setTimeout(check, Math.max(1, next.atMs - counted()));
  };
  const check = (): void => {
    const [next] = ahead;
    if (next !== undefined && counted() >= next.atMs) {
      ahead.shift();
      next.call();
    }
    arm();
  };
  return {
    set: (runs) => {
      if (runs === (since !== null)) return;
      if (!runs) countedMs = counted();
      since = runs ? performance.now() : null;
      arm();
    },
  };
}
