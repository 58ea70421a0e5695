// How much the counters grew in each minute of the last day and each hour of the last week, for the page's charts. It is kept in memory, from the start of
// this process; for more, let a Prometheus scrape /metrics.
import { z } from 'zod';
import { json } from '#ops/api/answer.ts';
import { useCase } from '#ops/api/use-case.ts';
import type { Clock } from '#pipeline/contract/ports.ts';
import type { MetricsRegistry } from '#pipeline/observe/metrics.ts';

const figures = {
  received: { counter: 'messages-accepted' },
  refused: { counter: 'refusals' },
  inbox: { counter: 'messages-stored', label: { name: 'action', value: 'accept' } },
  quarantined: { counter: 'messages-stored', label: { name: 'action', value: 'quarantine' } },
  delivered: { counter: 'deliveries', label: { name: 'outcome', value: 'delivered' } },
  deferred: { counter: 'deliveries', label: { name: 'outcome', value: 'deferred' } },
  bounced: { counter: 'deliveries', label: { name: 'outcome', value: 'bounced' } },
} as const;

type Figure = keyof typeof figures;
/** Of the minute or hour that began `at`. */
type Moved = { readonly at: string } & Readonly<Record<Figure, number>>;

/** The minutes of a day and the hours of a week in which something happened, oldest first; `since` is when counting began. */
export type Activity = {
  readonly since: string;
  readonly minutes: readonly Moved[];
  readonly hours: readonly Moved[];
};

const moved = z.array(z.object({ at: z.string(), ...mapFigures(() => z.number()) }));

export const showActivity = useCase({
  about: 'how much came and went in each minute of the last day, and each hour of the last week',
  takes: {},
  gives: z.object({ since: z.string(), minutes: moved, hours: moved }),
  answer: ({ activity }: { readonly activity: () => Activity }) => json(activity()),
});

const minuteMs = 60_000;
const hourMs = 3_600_000;
const keptMinutes = 24 * 60;
const keptHours = 7 * 24;
const sampleMs = 5_000;

/** What happens counts in the minute in which it was noticed: up to 5 s late. */
export function watchActivity(metrics: Pick<MetricsRegistry, 'total'>, clock: Clock) {
  const since = new Date(clock()).toISOString();
  let totals = readTotals(metrics);
  const minutes = keepLast(minuteMs, keptMinutes);
  const hours = keepLast(hourMs, keptHours);

  const sample = (): void => {
    const now = readTotals(metrics);
    const grown = mapFigures((figure) => now[figure] - totals[figure]);
    totals = now;
    minutes.add(clock(), grown);
    hours.add(clock(), grown);
  };
  const timer = setInterval(sample, sampleMs);
  timer.unref();
  return {
    recent: (): Activity => {
      sample();
      return { since, minutes: minutes.all(), hours: hours.all() };
    },
    stop: (): void => clearInterval(timer),
  };
}

/** Sums of `most` spans of equal length, of which those without any movement are left out. */
function keepLast(spanMs: number, most: number) {
  let spans: readonly Moved[] = [];
  return {
    all: () => spans,
    add: (nowMs: number, grown: Record<Figure, number>): void => {
      const at = new Date(Math.floor(nowMs / spanMs) * spanMs).toISOString();
      const oldest = new Date(nowMs - most * spanMs).toISOString();
      spans = spans.filter((span) => span.at > oldest);
      if (Object.values(grown).every((count) => count === 0)) return;
      const last = spans.at(-1);
      if (last?.at !== at) spans = [...spans, { at, ...grown }];
      else spans = [...spans.slice(0, -1), { at, ...mapFigures((figure) => last[figure] + grown[figure]) }];
    },
  };
}

function readTotals(metrics: Pick<MetricsRegistry, 'total'>): Record<Figure, number> {
  return mapFigures((figure) => {
    const { counter, ...where } = figures[figure];
    return metrics.total(counter, 'label' in where ? where.label : undefined);
  });
}

function mapFigures<Value>(count: (figure: Figure) => Value): Record<Figure, Value> {
  return {
    received: count('received'),
    refused: count('refused'),
    inbox: count('inbox'),
    quarantined: count('quarantined'),
    delivered: count('delivered'),
    deferred: count('deferred'),
    bounced: count('bounced'),
  };
}
