// What goes wrong in one seed. Each kind of fault is there in some seeds and absent in others, so that every promise is also tested
// where only one thing fails; a seed in which all goes wrong would excuse everything.
import type { SimClock } from '#test/simulation/engine/clock.ts';
import type { Random } from '#test/simulation/engine/random.ts';

/** From one time to another, in milliseconds since the start. */
type Span = { readonly from: number; readonly to: number };

/** How a service of AWS fails: each a probability for one request. */
export type ServiceFaults = {
  /** Refused with 500 or 503, and not done. */
  readonly refused: number;
  /** Done, and answered with 500 all the same. */
  readonly doneButRefused: number;
  /** No answer, and not done; no answer, and done. */
  readonly lostBefore: number;
  readonly lostAfter: number;
  /** A conditional write is told to try again (409); an entry of a batch fails. */
  readonly conflict: number;
  readonly slowestMs: number;
  /** While one lasts every request fails. */
  readonly outages: readonly Span[];
};

export type Faults = {
  readonly s3: ServiceFaults;
  readonly sqs: ServiceFaults & {
    /** A message is handed out twice at a time; once more after it was deleted. */
    readonly duplicate: number;
    readonly afterDelete: number;
    readonly deleteFails: number;
  };
  readonly functions: {
    /** Of an invocation: its sandbox dies at some call, stands still at some call, or there is no sandbox to be had. */
    readonly crash: number;
    readonly freeze: number;
    readonly throttle: number;
    readonly longestFreezeMs: number;
  };
  /** Of the listener: how often it dies (an hour), and whether it is deployed anew in the middle. */
  readonly listener: { readonly crashes: number; readonly isReplaced: boolean };
  readonly dns: { readonly fails: number; readonly isMute: readonly Span[] };
  readonly peers: {
    readonly busy: number;
    readonly drops: number;
    readonly losesAnswer: number;
    readonly slowestMs: number;
    readonly down: readonly Span[];
  };
  readonly client: { readonly breaksOff: number };
  readonly skewMs: number;
  /** After this nothing of the above befalls anybody. */
  readonly endAtMs: number;
};

const minuteMs = 60_000;

/** The faults of a seed. */
export function drawFaults(random: Random): Faults {
  const level = random.pick([0, 0.3, 1, 1, 2]);
  const some = (most: number): number => (random.chance(0.5) ? random.next() * most * level : 0);
  const endAtMs = random.between(4, 40) * minuteMs;
  const spans = (longestMs: number): Span[] =>
    level > 0 && random.chance(0.25)
      ? Array.from({ length: random.between(1, 2) }, () => {
          const from = random.between(0, endAtMs);
          return { from, to: Math.min(from + random.between(1_000, longestMs), endAtMs) };
        })
      : [];
  const service = (): ServiceFaults => ({
    refused: some(0.15),
    doneButRefused: some(0.06),
    lostBefore: some(0.05),
    lostAfter: some(0.08),
    conflict: some(0.15),
    slowestMs: random.pick([20, 20, 60, 400]),
    outages: spans(5 * minuteMs),
  });
  return {
    s3: service(),
    sqs: {
      ...service(),
      duplicate: some(0.15),
      afterDelete: some(0.25),
      deleteFails: some(0.1),
    },
    functions: {
      crash: some(0.35),
      freeze: some(0.3),
      throttle: some(0.25),
      longestFreezeMs: random.pick([2_000, 400_000, 2_400_000]),
    },
    listener: { crashes: level > 0 && random.chance(0.3) ? random.between(1, 3) : 0, isReplaced: random.chance(0.3) },
    dns: { fails: some(0.15), isMute: spans(4 * minuteMs) },
    peers: {
      busy: some(0.4),
      drops: some(0.35),
      losesAnswer: some(0.5),
      slowestMs: random.pick([200, 200, 5_000, 120_000]),
      down: spans(endAtMs),
    },
    client: { breaksOff: some(0.2) },
    skewMs: random.chance(0.3) ? 20_000 : 0,
    endAtMs,
  };
}

/** Whether a time (milliseconds since the start) is in one of the spans. */
export function isWithin(spans: readonly Span[], atMs: number): boolean {
  return spans.some(({ from, to }) => atMs >= from && atMs < to);
}

/** What the parts of a simulated world that may fail are given. */
export type FaultyWorld = {
  readonly clock: SimClock;
  readonly random: Random;
  readonly note: (line: string) => void;
  readonly faults: Faults;
  readonly mayFail: () => boolean;
  /** Something went wrong; if jobs were concerned, they come back after so many milliseconds. */
  readonly trouble: (what: string, hiddenMs: number) => void;
};
