// Virtual time: what is to happen stands in a heap by its time; after each event everything that follows at once is run to its end,
// then time jumps to the next one. Five days take as long as their events.

/** What was scheduled; `cancel` makes it not happen. */
export type Scheduled = { readonly cancel: () => void };

export type SimClock = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly startMs: number;
  /** Calls `fire` in so many milliseconds; events of one moment keep the order in which they were scheduled. */
  readonly in: (ms: number, fire: () => void) => Scheduled;
  readonly sleep: (ms: number) => Promise<void>;
  /** Runs what is due until this time; ends early if `isOver` says so, or nothing is left. */
  readonly run: (untilMs: number, isOver: () => boolean) => Promise<void>;
  readonly events: () => number;
};

type Entry = { readonly at: number; readonly order: number; fire: (() => void) | null };

// The real one, whatever a run puts in its place: it comes after all promises and ticks.
const realImmediate = setImmediate;
const settle = (): Promise<void> => new Promise((resolve) => realImmediate(resolve));
/** A world that schedules so much does not come to an end: that is a failure of its own. */
const mostEvents = 2_000_000;

/** A clock that begins at this time. */
export function createClock(startMs: number): SimClock {
  const heap: Entry[] = [];
  let now = startMs;
  let order = 0;
  let count = 0;
  const schedule = (ms: number, fire: () => void): Scheduled => {
    const entry: Entry = { at: now + Math.max(0, ms), order: order++, fire };
    push(heap, entry);
    return {
      cancel: () => {
        entry.fire = null;
      },
    };
  };
  return {
    now: () => now,
    startMs,
    in: schedule,
    sleep: (ms) =>
      new Promise((resolve) => {
        schedule(ms, resolve);
      }),
    run: async (untilMs, isOver) => {
      await settle();
      for (let first = heap[0]; first !== undefined && first.at <= untilMs && !isOver(); first = heap[0]) {
        pop(heap);
        if (first.fire === null) continue;
        now = Math.max(now, first.at);
        count += 1;
        if (count > mostEvents) throw new Error(`${mostEvents} events, and no end`);
        first.fire();
        await settle();
      }
    },
    events: () => count,
  };
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(heap[at]!, heap[parent]!)) return;
    swap(heap, at, parent);
    at = parent;
  }
}

function pop(heap: Entry[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  heap[0] = last;
  for (let at = 0; ; ) {
    const left = 2 * at + 1;
    let least = at;
    if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left;
    if (left + 1 < heap.length && isBefore(heap[left + 1]!, heap[least]!)) least = left + 1;
    if (least === at) return;
    swap(heap, at, least);
    at = least;
  }
}

function swap(heap: Entry[], one: number, other: number): void {
  [heap[one], heap[other]] = [heap[other]!, heap[one]!];
}
