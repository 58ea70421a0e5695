// The metrics that alarms and dashboard look at: those the service writes itself (EMF, namespace = service name, dimension
// `stage` and few labels), and those AWS keeps of queues, functions and the load balancer.
import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Options } from '#cdk/options.ts';
import type { StageName } from '#pipeline/contract/stages.ts';
import type { WatchedMetric } from '#pipeline/observe/metric-names.ts';

type Labels = Readonly<Record<string, string>>;

export type ServiceMetric = {
  readonly stage: StageName | 'listener';
  readonly name: WatchedMetric;
  readonly labels?: Labels;
  readonly statistic?: string;
  readonly period?: Duration;
  readonly label?: string;
};

/** A metric that the service writes itself. */
export function serviceMetric(options: Options, metric: ServiceMetric): Metric {
  return new Metric({
    namespace: options.serviceName,
    metricName: metric.name,
    dimensionsMap: { stage: metric.stage, ...metric.labels },
    statistic: metric.statistic ?? 'Sum',
    period: metric.period ?? Duration.minutes(5),
    label: metric.label ?? metric.name,
  });
}

/** All series of a metric that its labels tell apart (`reason`, `outcome` …), one line each. */
export function byLabel(options: Options, { stage, name }: ServiceMetric, ...labels: string[]): MathExpression {
  // Quoted: unquoted a name with a hyphen is searched for in its parts.
  const schema = `{${[options.serviceName, 'stage', ...labels].map((name) => `"${name}"`).join(',')}}`;
  return new MathExpression({
    expression: `SEARCH('${schema} MetricName="${name}" stage="${stage}"', 'Sum', 300)`,
    usingMetrics: {},
    label: '',
    period: Duration.minutes(5),
  });
}

/** `part` in percent of `part` and `rest` together; no value if both are few. One that has no data counts as 0. */
export function share(part: Metric, rest: Metric, label: string): MathExpression {
  return new MathExpression({
    expression: 'IF(SUM([part, rest]) > 20, 100 * part / SUM([part, rest]))',
    usingMetrics: { part, rest },
    label,
    period: part.period,
  });
}

/** `part` in percent of `whole`. Where `whole` is small a share says little: three of `part` are all of it, fewer are none. */
export function percent(part: Metric, whole: Metric, label: string): MathExpression {
  return new MathExpression({
    expression: 'IF(whole > 20, 100 * FILL(part, 0) / whole, IF(FILL(part, 0) > 2, 100, 0))',
    usingMetrics: { part, whole },
    label,
    period: part.period,
  });
}
