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
  let next: 'soft' | 'hard' | 'none' = softMs === null || softMs >= budgetMs ? 'hard' : 'soft';
  let timer: NodeJS.Timeout | undefined;
  const counted = (): number => countedMs + (since === null ? 0 : performance.now() - since);
  const arm = (): void => {
    clearTimeout(timer);
    if (since === null || next === 'none') return;
    timer = setTimeout(check, Math.max(1, (next === 'soft' && softMs !== null ? softMs : budgetMs) - counted()));
  };
  const check = (): void => {
    const due = next;
    if (counted() >= (due === 'soft' && softMs !== null ? softMs : budgetMs)) {
      next = due === 'soft' ? 'hard' : 'none';
      if (due === 'soft') call.soft();
      else call.hard();
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
