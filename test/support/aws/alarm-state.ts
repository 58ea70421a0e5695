// What CloudWatch would make of a deployment's alarms: datapoints by metric and dimensions, their statistic in each period, and whether as
// many periods in a row as the alarm wants are over its threshold. Of metric math it knows SUM.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';

type Datapoint = { readonly name: string; readonly at: number; readonly value: number; readonly labels: Labels };
/** Dimensions by name; values as the template says them. */
type Labels = Readonly<Record<string, unknown>>;

/** Properties of an AWS::CloudWatch::Alarm. */
export type AlarmProperties = any;

export type AlarmWatch = {
  readonly put: (point: Datapoint) => void;
  /** Takes the metrics of an EMF line; any other line is passed over. */
  readonly takeLine: (line: string) => void;
  /** Whether it has risen at some time. */
  readonly hasRisen: (alarm: AlarmProperties) => boolean;
};

/** Nothing is known yet: silence. */
export function createAlarmWatch(): AlarmWatch {
  const points: Datapoint[] = [];
  return {
    put: (point) => void points.push(point),
    takeLine: (line) => {
      if (!line.startsWith('{"_aws":')) return;
      const { _aws: aws, ...fields } = JSON.parse(line);
      for (const { Dimensions, Metrics } of aws.CloudWatchMetrics) {
        const labels = Object.fromEntries(Dimensions.at(-1).map((name: string) => [name, fields[name]]));
        for (const { Name } of Metrics) {
          if (typeof fields[Name] === 'number')
            points.push({ name: Name, at: aws.Timestamp, value: fields[Name], labels });
        }
      }
    },
    hasRisen: (alarm) => {
      assert.equal(alarm.ComparisonOperator, 'GreaterThanOrEqualToThreshold');
      assert.equal(alarm.TreatMissingData, 'notBreaching');
      const stats = statsOf(alarm);
      const period = stats[0].Period * 1_000;
      const values = new Map<number, number>();
      for (const stat of stats) {
        for (const [at, value] of valuesOf(stat, points, period)) values.set(at, (values.get(at) ?? 0) + value);
      }
      const isOver = (at: number) => (values.get(at) ?? Number.NEGATIVE_INFINITY) >= alarm.Threshold;
      const inARow = Array.from({ length: alarm.EvaluationPeriods }, (_, n) => n);
      return [...values.keys()].some((at) => inARow.every((n) => isOver(at + n)));
    },
  };
}

/** An alarm's metric, or those that it sums up. */
function statsOf(alarm: AlarmProperties): any[] {
  if (alarm.MetricName !== undefined) return [alarm];
  for (const { Expression = 'SUM([' } of alarm.Metrics) assert.match(Expression, /^SUM\(\[/);
  return alarm.Metrics.flatMap(({ MetricStat: stat }: any) =>
    stat === undefined ? [] : [{ ...stat.Metric, Statistic: stat.Stat, Period: stat.Period }],
  );
}

/** By number of the period. */
function valuesOf(stat: any, points: readonly Datapoint[], period: number): Map<number, number> {
  const wanted: Labels = Object.fromEntries((stat.Dimensions ?? []).map(({ Name, Value }: any) => [Name, Value]));
  const isOf = ({ name, labels }: Datapoint) => name === stat.MetricName && isDeepStrictEqual(labels, wanted);
  const byPeriod = Map.groupBy(points.filter(isOf), ({ at }) => Math.floor(at / period));
  const statistic = (values: number[]) =>
    stat.Statistic === 'Sum' ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
  return new Map([...byPeriod].map(([at, found]) => [at, statistic(found.map(({ value }) => value))]));
}
