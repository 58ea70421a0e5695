// What ends the service: a signal, or the end of the npm that started it, which dies without a word where it is killed.

/** A terminal and npm may both pass one Ctrl-C on: what comes so soon after the first is the same one. */
const sameSignalMs = 500;
const lookForParentMs = 500;

/**
 * Calls `stop` once, with what ended the service (a signal, or `parent-gone`), and `stopNow` where somebody asks again.
 * `parent`: the process id of the npm that `npm start` was, by PILLARBOX_STARTED_BY; left out: nobody is looked after.
 */
export function watchForStop({
  parent,
  stop,
  stopNow,
}: {
  readonly parent: string | undefined;
  readonly stop: (reason: string) => void;
  readonly stopNow: () => void;
}): void {
  let stoppedAt: number | null = null;
  const once = (reason: string): void => {
    if (stoppedAt !== null) return;
    stoppedAt = performance.now();
    stop(reason);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      if (stoppedAt !== null && performance.now() - stoppedAt > sameSignalMs) stopNow();
      once(signal);
    });
  }
  if (parent === undefined || !/^\d+$/.test(parent)) return;
  // A process whose parent ends gets another one.
  const look = (): void => {
    if (process.ppid === Number(parent)) return;
    clearInterval(timer);
    once('parent-gone');
  };
  const timer = setInterval(look, lookForParentMs);
  timer.unref();
  look();
}
