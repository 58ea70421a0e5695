// The page an operator looks at first: what came in, what was refused and why, verdicts, how long each stage takes, what
// waits, how deliveries end, errors, and what it costs.
import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  MathExpression,
  Metric,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Options } from '#cdk/options.ts';
import type { StageFunction } from '#cdk/service/stage-function.ts';
import { deployedStages, lanesOf, type Stage, type StageName } from '#pipeline/contract/stages.ts';
import type { Alarms } from './alarms.ts';
import { byLabel, serviceMetric } from './service-metrics.ts';
import type { Watched } from './watch.ts';

export type DashboardProps = Watched & {
  readonly functions: readonly StageFunction[];
  readonly listenerLogs: LogGroup;
  readonly alarms: Alarms;
};

export class MailDashboard extends Construct {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    const dashboard = new Dashboard(this, 'Dashboard', {
      dashboardName: props.options.serviceName,
      defaultInterval: Duration.hours(12),
    });
    dashboard.addWidgets(new AlarmStatusWidget({ title: 'Alarms', alarms: props.alarms.all, width: 24, height: 3 }));
    dashboard.addWidgets(...mailIn(props));
    dashboard.addWidgets(...throughTheStages(props));
    dashboard.addWidgets(...mailOut(props));
    dashboard.addWidgets(...running(props));
  }
}

function mailIn({ options, functions, listenerLogs }: DashboardProps): IWidget[] {
  const listener = { stage: 'listener' } as const;
  const judging = functionNamed(functions, 'authenticate').logs;
  return [
    graph('Mail in, by port', [byLabel(options, { ...listener, name: 'messages-accepted' }, 'role')]),
    ofLog('Refused, and why', listenerLogs, [
      'filter ispresent(`refusals`)',
      'stats sum(`refusals`) by reason, bin(5m)',
    ]),
    ofLog('Verdicts', judging, ["filter event = 'message-judged'", 'stats count(*) by dmarc, quarantined, bin(5m)']),
    graph('Connections open, each task', [
      serviceMetric(options, { ...listener, name: 'connections-open', statistic: 'Average' }),
    ]),
    ofLog('Kept waiting by the DNS: to the slow lane, zones found dead', judging, [
      'filter ispresent(`messages-to-slow-lane`) or ispresent(`dns-breakers-opened`)',
      'stats sum(`messages-to-slow-lane`), sum(`dns-breakers-opened`) by bin(5m)',
    ]),
  ];
}

function throughTheStages({ options, functions, data }: DashboardProps): IWidget[] {
  const all = deployedStages(options).flatMap(lanesOf);
  const age = ({ consumes }: Stage) =>
    data.queueNamed(consumes).queue.metricApproximateAgeOfOldestMessage({ label: consumes, statistic: 'Maximum' });
  const dead = ({ consumes }: Stage) => {
    const { deadLetters } = data.queueNamed(consumes);
    return deadLetters.metricApproximateNumberOfMessagesVisible({ label: consumes, statistic: 'Maximum' });
  };
  return [
    ofLog('Accepted until in inbox/, s', functionNamed(functions, 'parse').logs, [
      "filter event = 'message-stored' and ispresent(seconds)",
      'stats pct(seconds, 50), pct(seconds, 99) by bin(5m)',
    ]),
    graph('Oldest job waiting, s', all.map(age)),
    graph('Dead letters', all.map(dead)),
  ];
}

function mailOut({ options }: DashboardProps): IWidget[] {
  const deliver = { stage: 'deliver' } as const;
  return [
    graph('Deliveries, by outcome', [byLabel(options, { ...deliver, name: 'deliveries' }, 'outcome')]),
    graph('Bounces', [
      serviceMetric(options, { ...deliver, name: 'deliveries', labels: { outcome: 'bounced' }, label: 'bounced' }),
    ]),
    graph('Port 25 silent', [serviceMetric(options, { ...deliver, name: 'port-25-blocked' })]),
    graph('Failed log-ins', [serviceMetric(options, { stage: 'listener', name: 'authentication-failures' })]),
  ];
}

function running({ options, functions, balancer }: DashboardProps): IWidget[] {
  const errors = functions.flatMap(({ handler, node }) => [
    handler.metricErrors({ label: `${node.id} errors` }),
    handler.metricThrottles({ label: `${node.id} throttles` }),
  ]);
  const times = functions.map(({ handler, node }) => handler.metricDuration({ statistic: 'p99', label: node.id }));
  const flows = balancer.balancer.metrics;
  return [
    graph('Errors and throttles', errors),
    graph('Function time, p99, ms', times),
    graph('Flows at the load balancer', [flows.activeFlowCount(), flows.newFlowCount()]),
    graph('Cost so far this month, $', [cost(options)]),
  ];
}

/** AWS's own estimate of the account (us-east-1; billing metrics must be switched on). */
function cost({ serviceName }: Options): IMetric {
  return new MathExpression({
    expression: 'charges',
    label: `account of ${serviceName}`,
    period: Duration.hours(6),
    usingMetrics: {
      charges: new Metric({
        namespace: 'AWS/Billing',
        metricName: 'EstimatedCharges',
        dimensionsMap: { Currency: 'USD' },
        statistic: 'Maximum',
        region: 'us-east-1',
      }),
    },
  });
}

function graph(title: string, left: readonly IMetric[]): GraphWidget {
  return new GraphWidget({ title, left: [...left], width: 6, height: 6, leftYAxis: { min: 0 } });
}

/** From the lines of a log, which are read when somebody looks: a stored metric costs each month, for each label. */
function ofLog(title: string, logs: LogGroup, queryLines: string[]): LogQueryWidget {
  return new LogQueryWidget({
    title,
    logGroupNames: [logs.logGroupName],
    view: LogQueryVisualizationType.LINE,
    queryLines,
    width: 6,
    height: 6,
  });
}

function functionNamed(functions: readonly StageFunction[], name: StageName): StageFunction {
  const found = functions.find(({ stage }) => stage.name === name);
  if (found === undefined) throw new Error(`there is no function of stage ${name}`);
  return found;
}
