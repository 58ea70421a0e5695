// What the functions write: log lines, which go on to the log of this process (it may be quiet), and their metrics as EMF lines for
// CloudWatch, which are taken into the registry.
import { z } from 'zod';
import type { Log, Metrics } from '#pipeline/contract/ports.ts';
import { isEventName } from '#pipeline/observe/event-names.ts';
import { isCounter, isMeasure } from '#pipeline/observe/metric-names.ts';

const lineSchema = z
  .object({ time: z.string(), level: z.enum(['info', 'warn', 'error']), event: z.string() })
  .catchall(z.union([z.string(), z.number(), z.boolean(), z.null()]));

/** Takes a log line and answers true; false where the line is another. */
export function takeLog(line: string, log: Log): boolean {
  if (!line.startsWith('{"time":')) return false;
  const parsed = lineSchema.safeParse(JSON.parse(line));
  if (!parsed.success) return false;
  const { time: _, level, event, ...fields } = parsed.data;
  if (!isEventName(event)) return false;
  log[level](event, fields);
  return true;
}

const histogramSchema = z.object({ Values: z.array(z.number()), Counts: z.array(z.number()) });
const valueSchema = z.union([z.number(), z.array(z.number()), histogramSchema]);
const directivesSchema = z.array(
  z.object({ Dimensions: z.array(z.array(z.string())), Metrics: z.array(z.object({ Name: z.string() })) }),
);
const emfSchema = z.looseObject({
  _aws: z.object({ CloudWatchMetrics: directivesSchema }).default({ CloudWatchMetrics: [] }),
  /** Those that CloudWatch is not to keep. */
  also: directivesSchema.default([]),
});

/** Takes an EMF line's metrics and answers true; false where the line is another. */
export function takeMetrics(line: string, metrics: Metrics): boolean {
  if (!/^\{"(_aws|also)":/.test(line)) return false;
  const parsed = emfSchema.safeParse(JSON.parse(line));
  if (!parsed.success) return false;
  const { _aws: aws, also, ...fields } = parsed.data;
  for (const { Dimensions, Metrics: named } of [...aws.CloudWatchMetrics, ...also]) {
    const labels = Object.fromEntries((Dimensions.at(-1) ?? []).map((name) => [name, String(fields[name])]));
    for (const { Name } of named) take(metrics, { name: Name, labels, value: valueSchema.parse(fields[Name]) });
  }
  return true;
}

type Taken = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: z.infer<typeof valueSchema>;
};

function take(metrics: Metrics, { name, labels, value }: Taken): void {
  if (typeof value === 'number') {
    if (isCounter(name)) metrics.count(name, labels, value);
    return;
  }
  if (!isMeasure(name)) return;
  const measured = Array.isArray(value)
    ? value
    : value.Values.flatMap((one, at) => Array(value.Counts[at] ?? 0).fill(one));
  for (const one of measured) metrics.measure(name, one, labels);
}
