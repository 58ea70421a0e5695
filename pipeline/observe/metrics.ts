// Metrics: counters and measurements, kept in memory. On AWS they are written as CloudWatch EMF lines, one for each set of
// labels and flush (never one for each message); on one machine they are read as Prometheus text.
import type { Clock, Metrics } from '#pipeline/contract/ports.ts';
import type { CounterName } from './metric-names.ts';

type Labels = Readonly<Record<string, string | undefined>>;

/** The upper bounds of the registry's histogram buckets; they suit seconds as well as bytes. */
const bounds = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_000, 4_096, 65_536, 1_048_576, 10_485_760,
  104_857_600,
];
const maxSeries = 2_000;
/** Members of a metric's array in one EMF line: CloudWatch takes 100. */
const maxEmfValues = 100;

type Histogram = { readonly counts: number[]; sum: number; count: number };

export type MetricsRegistry = Metrics & {
  /** Prometheus' text exposition (version 0.0.4). */
  readonly text: () => string;
  /** A counter's sum over all series, or over those with this label. */
  readonly total: (name: CounterName, label?: { readonly name: string; readonly value: string }) => number;
};

/** A counter `messages-accepted` is shown as `pillarbox_messages_accepted_total`. */
export function createMetricsRegistry(): MetricsRegistry {
  const counters = new Map<string, Map<string, number>>();
  const histograms = new Map<string, Map<string, Histogram>>();
  return {
    count: (name, labels = {}, by = 1) => {
      const series = seriesOf(counters, name);
      const key = labelText(labels);
      if (series.size < maxSeries || series.has(key)) series.set(key, (series.get(key) ?? 0) + by);
    },
    measure: (name, value, labels = {}) => {
      const series = seriesOf(histograms, name);
      const key = labelText(labels);
      const known = series.get(key) ?? { counts: bounds.map(() => 0), sum: 0, count: 0 };
      if (series.size >= maxSeries && !series.has(key)) return;
      const bucket = bounds.findIndex((bound) => value <= bound);
      if (bucket >= 0) known.counts[bucket] = (known.counts[bucket] ?? 0) + 1;
      known.sum += value;
      known.count += 1;
      series.set(key, known);
    },
    text: () => [...counterLines(counters), ...histogramLines(histograms), ''].join('\n'),
    total: (name, label) => {
      const wanted = label === undefined ? null : labelText({ [label.name]: label.value });
      const series = [...(counters.get(name) ?? [])];
      const counted = wanted === null ? series : series.filter(([labels]) => `,${labels},`.includes(`,${wanted},`));
      return counted.reduce((sum, [, count]) => sum + count, 0);
    },
  };
}

/** Nothing is written before `flush`. */
export type EmfMetrics = Metrics & { readonly flush: () => void };

type EmfSeries = {
  readonly labels: Labels;
  readonly counts: Map<string, number>;
  readonly values: Map<string, Map<number, number>>;
};

/**
 * Metrics in CloudWatch's Embedded Metric Format. `base` are dimensions of every metric (the stage's name). `watched`: the
 * names that CloudWatch stores (all, if left out); the others are on the line too, named in its `also`. `isWritten` says which are written
 * at all. Measurements are rounded to two significant digits, so that a flush is small however many there were.
 */
export function createEmfMetrics({
  namespace,
  base,
  watched = null,
  isWritten = () => true,
  write,
  clock,
}: {
  readonly namespace: string;
  readonly base: Labels;
  readonly watched?: ReadonlySet<string> | null;
  readonly isWritten?: (name: string, labels: Labels) => boolean;
  readonly write: (line: string) => void;
  readonly clock: Clock;
}): EmfMetrics {
  const all = new Map<string, EmfSeries>();
  const seriesFor = (labels: Labels) => {
    const key = labelText(labels);
    const series = all.get(key) ?? { labels: { ...base, ...labels }, counts: new Map(), values: new Map() };
    all.set(key, series);
    return series;
  };
  return {
    count: (name, labels = {}, by = 1) => {
      if (!isWritten(name, labels)) return;
      const { counts } = seriesFor(labels);
      counts.set(name, (counts.get(name) ?? 0) + by);
    },
    measure: (name, value, labels = {}) => {
      if (!isWritten(name, labels)) return;
      const values = seriesOf(seriesFor(labels).values, name);
      const rounded = Number(value.toPrecision(2));
      values.set(rounded, (values.get(rounded) ?? 0) + 1);
    },
    flush: () => {
      for (const series of all.values()) write(emfLine(series, { namespace, watched }, clock()));
      all.clear();
    },
  };
}

type EmfPlace = { readonly namespace: string; readonly watched: ReadonlySet<string> | null };

function emfLine({ labels, counts, values }: EmfSeries, { namespace, watched }: EmfPlace, nowMs: number): string {
  const metrics = [...counts.keys()].map((name) => ({ Name: name, Unit: 'Count' }));
  const measured = [...values.keys()].map((name) => ({ Name: name, Unit: unitOf(name) }));
  const all = [...metrics, ...measured];
  // One set of dimensions, with all labels: each further set costs money, and SUM(SEARCH(…)) adds up.
  const kept = all.filter(({ Name }) => watched?.has(Name) !== false);
  const also = all.filter(({ Name }) => watched?.has(Name) === false).map(({ Name }) => Name);
  const directive = { Namespace: namespace, Dimensions: [Object.keys(labels)], Metrics: kept };
  const line = {
    ...(kept.length === 0 ? {} : { _aws: { Timestamp: nowMs, CloudWatchMetrics: [directive] } }),
    ...(also.length === 0 ? {} : { also }),
    ...labels,
    ...Object.fromEntries(counts),
    ...Object.fromEntries([...values].map(([name, histogram]) => [name, emfValue(histogram)])),
  };
  return `${JSON.stringify(line)}\n`;
}

/** Few values as they are; many as pairs of value and count, as CloudWatch's agent writes them. */
function emfValue(histogram: ReadonlyMap<number, number>): unknown {
  const total = [...histogram.values()].reduce((sum, count) => sum + count, 0);
  if (total <= maxEmfValues) return [...histogram].flatMap(([value, count]) => Array<number>(count).fill(value));
  const entries = [...histogram].sort(([one], [other]) => one - other);
  const kept = entries.length <= maxEmfValues ? entries : mergeNeighbours(entries);
  const sum = entries.reduce((so, [value, count]) => so + value * count, 0);
  const [[min] = [0]] = entries;
  const [max] = entries.at(-1) ?? [0];
  const pairs = { Values: kept.map(([value]) => value), Counts: kept.map(([, count]) => count) };
  return { ...pairs, Max: max, Min: min, Count: total, Sum: sum };
}

function mergeNeighbours(entries: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const width = Math.ceil(entries.length / maxEmfValues);
  const merged = Map.groupBy(entries.entries(), ([index]) => Math.floor(index / width));
  return [...merged.values()].map((group) => {
    const count = group.reduce((sum, [, [, by]]) => sum + by, 0);
    const sum = group.reduce((so, [, [value, by]]) => so + value * by, 0);
    return [sum / count, count] as const;
  });
}

function unitOf(name: string): string {
  if (/seconds$/i.test(name)) return 'Seconds';
  return /bytes$/i.test(name) ? 'Bytes' : 'None';
}

function seriesOf<Key, Value>(all: Map<string, Map<Key, Value>>, name: string): Map<Key, Value> {
  const known = all.get(name);
  if (known) return known;
  const made = new Map<Key, Value>();
  all.set(name, made);
  return made;
}

function counterLines(counters: ReadonlyMap<string, ReadonlyMap<string, number>>): string[] {
  return [...counters].flatMap(([name, series]) => {
    const metric = `${metricName(name)}_total`;
    return [`# TYPE ${metric} counter`, ...[...series].map(([labels, value]) => `${metric}${braces(labels)} ${value}`)];
  });
}

function histogramLines(histograms: ReadonlyMap<string, ReadonlyMap<string, Histogram>>): string[] {
  return [...histograms].flatMap(([name, series]) => {
    const metric = metricName(name);
    return [`# TYPE ${metric} histogram`, ...[...series].flatMap(([labels, one]) => oneHistogram(metric, labels, one))];
  });
}

function oneHistogram(metric: string, labels: string, { counts, sum, count }: Histogram): string[] {
  let below = 0;
  const buckets = bounds.map((bound, index) => {
    below += counts[index] ?? 0;
    return `${metric}_bucket${braces(labels, `le="${bound}"`)} ${below}`;
  });
  const all = `${metric}_bucket${braces(labels, 'le="+Inf"')} ${count}`;
  return [...buckets, all, `${metric}_sum${braces(labels)} ${sum}`, `${metric}_count${braces(labels)} ${count}`];
}

function metricName(name: string): string {
  return `pillarbox_${name.replaceAll(/[^A-Za-z0-9_]/g, '_')}`;
}

function labelText(labels: Labels): string {
  const keys = Object.keys(labels);
  if (keys.length > 1) keys.sort();
  let text = '';
  for (const key of keys) text += `${text === '' ? '' : ','}${key}="${escapeLabel(labels[key] ?? '')}"`;
  return text;
}

function escapeLabel(value: string): string {
  if (!/["\\\n]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function braces(...parts: string[]): string {
  const inner = parts.filter((part) => part !== '').join(',');
  return inner === '' ? '' : `{${inner}}`;
}
