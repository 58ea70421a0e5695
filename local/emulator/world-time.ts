// The time of the emulator world: one clock for queues, pollers and functions that may be set ahead of the real one, so that
// hours of AWS's timing pass in seconds while real processes and sockets go on.
import type { Clock } from '#pipeline/contract/ports.ts';
import type { Emulator } from './emulator.ts';
import type { LambdaFunction } from './lambda-function.ts';
import type { Polling } from './poll-queue.ts';

export type WorldTime = {
  readonly clock: Clock;
  /** Sets the clocks of queues, pollers and functions ahead of the real one. */
  readonly setAhead: (aheadMs: number) => Promise<void>;
  /**
   * What the world waits for: `working`: something is under way, or about to be; otherwise until when nothing happens, in
   * milliseconds since 1970 (null: nothing is hidden, delayed or gathered).
   */
  readonly waitsFor: () => Promise<'working' | { readonly nextAt: number | null }>;
};

/** An event source: its queue, who polls it, and the function that is called. */
export type Source = { readonly queue: string; readonly polling: Polling; readonly called: LambdaFunction };

/** `offset` is shared with whoever reads the clock. */
export function createWorldTime(
  emulator: Pick<Emulator, 'queues' | 'setAhead'>,
  offset: { aheadMs: number },
  sources: () => readonly Source[],
): WorldTime {
  return {
    clock: () => Date.now() + offset.aheadMs,
    setAhead: async (aheadMs) => {
      offset.aheadMs = aheadMs;
      for (const { called } of sources()) called.setAhead(aheadMs);
      await emulator.setAhead(aheadMs);
    },
    waitsFor: async () => {
      const queues = new Map((await emulator.queues()).map((queue) => [queue.name, queue]));
      const dues: number[] = [];
      for (const { queue, polling } of sources()) {
        const { ready = 0, handedOut = 0, nextDueAt = null } = queues.get(queue) ?? {};
        // What was handed out and is not received is on its way.
        if (polling.isBusy() || ready > 0 || handedOut !== polling.received()) return 'working';
        dues.push(...[nextDueAt, polling.windowEndsAt()].filter((at) => at !== null));
      }
      return { nextAt: dues.length === 0 ? null : Math.min(...dues) };
    },
  };
}
