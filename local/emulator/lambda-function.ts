// A function as Lambda runs it: each invocation has a sandbox for itself, a free one or a new one, and more than the account may
// run at once are throttled.
import { createSandbox, type Sandbox, type SandboxAnswer, type SandboxOptions } from './sandbox.ts';

/** How many invocations of all functions of an account may run at once; `running` is how many do. */
export type Account = { concurrency: number; running: number };

export type LambdaFunction = {
  /** Rejects where it is throttled, where the handler throws, is over its time, or its sandbox died. */
  readonly invoke: (event: unknown) => Promise<SandboxAnswer>;
  readonly setAhead: (aheadMs: number) => void;
  /** Kills the sandboxes that are running, as a lack of memory does; how many that were. */
  readonly killRunning: () => Promise<number>;
  readonly close: () => Promise<void>;
};

const throttledName = 'Throttled';

/** Whether an invocation was not made, since the account runs as many as it may. */
export function isThrottled(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === throttledName;
}

function throttled(): Error {
  return Object.assign(new Error('throttled: the account runs as much as it may'), { name: throttledName });
}

/** None of its sandboxes is started yet. */
export function createFunction(options: SandboxOptions, account: Account): LambdaFunction {
  const all: Sandbox[] = [];
  const free: Sandbox[] = [];
  let aheadMs = 0;
  const start = (): Sandbox => {
    const made = createSandbox(options);
    made.setAhead(aheadMs);
    all.push(made);
    return made;
  };
  return {
    invoke: async (event) => {
      if (account.running >= account.concurrency) throw throttled();
      const sandbox = free.pop() ?? start();
      account.running += 1;
      try {
        return await sandbox.invoke(event);
      } finally {
        account.running -= 1;
        free.push(sandbox);
      }
    },
    setAhead: (ms) => {
      aheadMs = ms;
      for (const sandbox of all) sandbox.setAhead(ms);
    },
    killRunning: async () => {
      const running = all.filter((sandbox) => !free.includes(sandbox));
      await Promise.all(running.map(({ kill }) => kill()));
      return running.length;
    },
    close: async () => {
      await Promise.all(all.map(({ close }) => close()));
    },
  };
}
