// What the functions write: log lines, which go on to the log of this process (it may be quiet), and their metrics as EMF lines for
// CloudWatch, which are taken into the registry.
import { z } from 'zod';
import type { Log, LogFields, Metrics } from '#pipeline/contract/ports.ts';
import { type EventName, isEventName } from '#pipeline/observe/event-names.ts';
import { isCounter, isMeasure } from '#pipeline/observe/metric-names.ts';

const logLineSchema = z
  .object({ time: z.string(), level: z.enum(['info', 'warn', 'error']), event: z.custom<EventName>(isEventName) })
  .catchall(z.union([z.string(), z.number(), z.boolean(), z.null()]));

/** A line of a function's log. */
export type LogLine = { readonly level: keyof Log; readonly event: EventName; readonly fields: LogFields };

/** Reads a line of the log; null where it is another. */
export function readLogLine(line: string): LogLine | null {
  if (!line.startsWith('{"time":')) return null;
  const parsed = logLineSchema.safeParse(JSON.parse(line));
  if (!parsed.success) return null;
  const { time: _, level, event, ...fields } = parsed.data;
  return { level, event, fields };
}

const histogramSchema = z.object({ Values: z.array(z.number()), Counts: z.array(z.number()) });
const valueSchema = z.union([z.number(), z.array(z.number()), histogramSchema]);
const directivesSchema = z.array(
  z.object({ Dimensions: z.array(z.array(z.string())), Metrics: z.array(z.object({ Name: z.string() })) }),
);
const emfSchema = z.looseObject({
  _aws: z.object({ CloudWatchMetrics: directivesSchema }).default({ CloudWatchMetrics: [] }),
  /** Those that CloudWatch is not to keep: their labels are all that is text on the line. */
  also: z.array(z.string()).default([]),
});

/** Takes an EMF line's metrics and answers true; false where the line is another. */
export function takeMetrics(line: string, metrics: Metrics): boolean {
  if (!/^\{"(_aws|also)":/.test(line)) return false;
  const parsed = emfSchema.safeParse(JSON.parse(line));
  if (!parsed.success) return false;
  const { _aws: aws, also, ...fields } = parsed.data;
  const texts = Object.entries(fields).filter(([, value]) => typeof value === 'string');
  const others = { Dimensions: [texts.map(([name]) => name)], Metrics: also.map((Name) => ({ Name })) };
  for (const { Dimensions, Metrics: named } of [...aws.CloudWatchMetrics, others]) {
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
