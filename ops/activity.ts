// How much the counters grew in each minute of the last day, for the page's charts. It is kept in memory, from the start of
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
/** Of the minute that began `at`. */
type ActiveMinute = { readonly at: string } & Readonly<Record<Figure, number>>;

/** The minutes in which something happened, oldest first; `since` is when counting began. */
export type Activity = { readonly since: string; readonly minutes: readonly ActiveMinute[] };

export const showActivity = useCase({
  about: 'how much came and went in each minute of the last day',
  takes: {},
  gives: z.object({
    since: z.string(),
    minutes: z.array(z.object({ at: z.string(), ...mapFigures(() => z.number()) })),
  }),
  answer: ({ activity }: { readonly activity: () => Activity }) => json(activity()),
});

const minuteMs = 60_000;
const keptMinutes = 24 * 60;
const sampleMs = 5_000;

/** What happens counts in the minute in which it was noticed: up to 5 s late. */
export function watchActivity(metrics: Pick<MetricsRegistry, 'total'>, clock: Clock) {
  const since = new Date(clock()).toISOString();
  let totals = readTotals(metrics);
  let minutes: ActiveMinute[] = [];

  const sample = (): void => {
    const now = readTotals(metrics);
    const moved = mapFigures((figure) => now[figure] - totals[figure]);
    totals = now;
    const at = new Date(Math.floor(clock() / minuteMs) * minuteMs).toISOString();
    const oldest = new Date(clock() - keptMinutes * minuteMs).toISOString();
    minutes = minutes.filter((minute) => minute.at > oldest);
    if (Object.values(moved).every((count) => count === 0)) return;
    const last = minutes.at(-1);
    if (last?.at !== at) minutes.push({ at, ...moved });
    else minutes[minutes.length - 1] = { at, ...mapFigures((figure) => last[figure] + moved[figure]) };
  };
  const timer = setInterval(sample, sampleMs);
  timer.unref();
  return {
    recent: (): Activity => {
      sample();
      return { since, minutes };
    },
    stop: (): void => clearInterval(timer),
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
