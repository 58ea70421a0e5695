// The counters' movements put together for a chart: so many bars of equal length, the last of which ends now.
const minuteMs = 60_000;

export const spans = {
  '1h': { label: '1 hour', bars: 60, barMs: minuteMs },
  '24h': { label: '24 hours', bars: 96, barMs: 15 * minuteMs },
  '7d': { label: '7 days', bars: 168, barMs: 60 * minuteMs },
} as const;
export type SpanName = keyof typeof spans;

/** A time at which it began (ISO 8601), and counts by name. */
export type Counts = Readonly<Record<string, string | number>> & { readonly at: string };

/** `starts`: of each bar, milliseconds since 1970. `counts`: by name, one for each bar. */
export type Bars = { readonly starts: readonly number[]; readonly counts: (name: string) => readonly number[] };

export function barsOf(name: SpanName, moved: readonly Counts[], nowMs: number): Bars {
  const { bars, barMs } = spans[name];
  const end = Math.floor(nowMs / barMs) * barMs + barMs;
  const first = end - bars * barMs;
  const starts = Array.from({ length: bars }, (_, n) => first + n * barMs);
  return {
    starts,
    counts: (what) => {
      const sums = starts.map(() => 0);
      for (const one of moved) {
        const bar = Math.floor((Date.parse(one.at) - first) / barMs);
        if (bar >= 0 && bar < bars) sums[bar] = (sums[bar] ?? 0) + Number(one[what] ?? 0);
      }
      return sums;
    },
  };
}
