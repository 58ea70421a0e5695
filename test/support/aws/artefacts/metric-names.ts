// Which of the service's own metrics alarms and dashboard look at, and whether they are among the EMF lines that were
// written: CloudWatch says nothing of a metric that nobody writes.
import type { Deployed } from './synthesized.ts';

/** The metrics looked at (`name {dimensions}`) that none of the lines carries. */
export function missingMetrics(deployed: Deployed, lines: readonly string[]): string[] {
  const functions = [...deployed.resources('AWS::Lambda::Function').values()];
  const [dashboard] = deployed.resources('AWS::CloudWatch::Dashboard').values();
  const namespace: string = functions
    .map(({ Environment }) => Environment?.Variables.PILLARBOX_METRICS_NAMESPACE)
    .find((name) => name !== undefined);
  const wanted = new Set([...ofAlarms(deployed, namespace), ...ofDashboard(dashboard.DashboardBody, namespace)]);
  const written = new Set(
    lines.filter((line) => line.startsWith('{"_aws"')).flatMap((line) => ofLine(line, namespace)),
  );
  if (wanted.size < 8) throw new Error(`only ${wanted.size} metrics are looked at`);
  return [...wanted].filter((metric) => !written.has(metric)).sort();
}

function ofAlarms(deployed: Deployed, namespace: string): string[] {
  const alarms = [...deployed.resources('AWS::CloudWatch::Alarm').values()];
  const plain = alarms.filter(({ MetricName }) => MetricName !== undefined);
  const stats = alarms.flatMap(({ Metrics = [] }) =>
    Metrics.flatMap(({ MetricStat }: any) => MetricStat?.Metric ?? []),
  );
  const scaling = [...deployed.resources('AWS::ApplicationAutoScaling::ScalingPolicy').values()].flatMap(
    ({ TargetTrackingScalingPolicyConfiguration: policy }) => policy.CustomizedMetricSpecification ?? [],
  );
  return [...plain, ...stats, ...scaling]
    .filter(({ Namespace }) => Namespace === namespace)
    .map(({ MetricName, Dimensions }) =>
      shown(
        MetricName,
        Dimensions.map(({ Name }: any) => Name),
      ),
    );
}

function ofDashboard(body: string, namespace: string): string[] {
  const found: string[] = [];
  const look = (value: any): void => {
    if (Array.isArray(value) && value[0] === namespace && typeof value[1] === 'string') {
      const words = value.slice(2).filter((word) => typeof word === 'string');
      found.push(
        shown(
          value[1],
          words.filter((_, index) => index % 2 === 0),
        ),
      );
    } else if (typeof value === 'string') {
      for (const [, of = '', schema = '', name = ''] of value.matchAll(
        /SEARCH\('\{"([^"]+)",([^}]+)\} MetricName="([^"]+)"/g,
      )) {
        if (of === namespace) found.push(shown(name, schema.replaceAll('"', '').split(',')));
      }
    } else if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) look(inner);
    }
  };
  look(JSON.parse(body));
  return found;
}

function ofLine(line: string, namespace: string): string[] {
  const { _aws: aws } = JSON.parse(line);
  return aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }: any) =>
    Namespace !== namespace
      ? []
      : Dimensions.flatMap((names: string[]) => Metrics.map(({ Name }: any) => shown(Name, names))),
  );
}

function shown(name: string, dimensions: readonly string[]): string {
  return `${name} {${[...dimensions].sort().join(', ')}}`;
}
