// An alarm of the service: its description names the entry of docs/runbook.md that says what to do.
import { Annotations, CfnOutput } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import { alarmTopicName } from '#cdk/names.ts';
import type { Options } from '#cdk/options.ts';
import { ownAccount } from '#cdk/service-trusts.ts';

export type AlarmSpec = {
  /** The entry of docs/runbook.md, and the alarm's name behind the service's. */
  readonly runbook: string;
  /** Tells alarms with the same entry apart: what this one is about. */
  readonly of?: string;
  /** What it means, in one sentence. */
  readonly meaning: string;
  readonly metric: IMetric;
  readonly threshold: number;
  /** The alarm rises at or above the threshold; `below`: under it. */
  readonly when?: 'above' | 'below';
  /** How many periods in a row. */
  readonly periods?: number;
  /** What silence means; most metrics are silent when nothing happens. */
  readonly silence?: 'fine' | 'alarming';
};

export class Alarms extends Construct {
  readonly topic: Topic;
  readonly all: Alarm[] = [];
  private readonly serviceName: string;

  constructor(scope: Construct, id: string, options: Options) {
    super(scope, id);
    const { serviceName, alarmEmail } = options;
    this.serviceName = serviceName;
    this.topic = new Topic(this, 'Topic', {
      topicName: alarmTopicName(options),
      displayName: `Alarms of ${serviceName}`,
      enforceSSL: true,
    });
    // A topic with a policy of its own no longer has the default one, which lets alarms of the account publish.
    this.topic.grantPublish(new ServicePrincipal('cloudwatch.amazonaws.com', { conditions: ownAccount }));
    if (alarmEmail !== undefined) this.topic.addSubscription(new EmailSubscription(alarmEmail));
    else
      Annotations.of(this).addWarningV2(
        'pillarbox:nobody-hears-alarms',
        'Nobody hears the alarms: set option alarmEmail, or subscribe to the topic that output AlarmTopic names.',
      );
    const output = new CfnOutput(this, 'AlarmTopic', {
      value: this.topic.topicArn,
      description: 'Subscribe to it to hear the alarms',
    });
    output.overrideLogicalId('AlarmTopic');
  }

  add(spec: AlarmSpec): Alarm {
    const name = spec.of === undefined ? spec.runbook : `${spec.runbook}-${spec.of}`;
    const alarm = new Alarm(this, name, {
      alarmName: `${this.serviceName}-${name}`,
      alarmDescription: `${spec.meaning} What to do: docs/runbook.md#${spec.runbook}`,
      metric: spec.metric,
      threshold: spec.threshold,
      evaluationPeriods: spec.periods ?? 1,
      comparisonOperator:
        spec.when === 'below'
          ? ComparisonOperator.LESS_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: spec.silence === 'alarming' ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
    alarm.addOkAction(new SnsAction(this.topic));
    this.all.push(alarm);
    return alarm;
  }
}
