// What AWS itself reports, told to those who hear the alarms: tasks that cannot be started, a fleet that can grow no further, a
// month that costs more than expected. These events cost nothing.
import { Aws } from 'aws-cdk-lib';
import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import { type EventPattern, Rule } from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { Options } from '#cdk/options.ts';
import type { ListenerTasks } from '#cdk/service/listener-task.ts';
import { ownAccount } from '#cdk/service-trusts.ts';
import type { Alarms } from './alarms.ts';

export type PlatformEventsProps = {
  readonly options: Options;
  readonly tasks: ListenerTasks;
  readonly alarms: Alarms;
};

export class PlatformEvents extends Construct {
  constructor(scope: Construct, id: string, props: PlatformEventsProps) {
    super(scope, id);
    const { service } = props.tasks;
    this.tell('TasksNotStarted', 'Listener tasks cannot be started, or a deployment of them failed', props, {
      source: ['aws.ecs'],
      detailType: ['ECS Service Action', 'ECS Deployment State Change'],
      resources: [service.serviceArn],
      detail: { eventType: ['WARN', 'ERROR'] },
    });
    this.tell('AtMostTasks', 'As many listener tasks are running as maxTasks allows', props, {
      source: ['aws.application-autoscaling'],
      detailType: ['Application Auto Scaling Scaling Activity State Change'],
      detail: { resourceId: [`service/${service.cluster.clusterName}/${service.serviceName}`] },
    });
    if (props.options.budgetDollars > 0) this.addBudget(props);
  }

  private tell(id: string, what: string, { alarms, options }: PlatformEventsProps, eventPattern: EventPattern): void {
    const rule = new Rule(this, id, { description: `${options.serviceName}: ${what}`, eventPattern });
    // By a role: SNS is not told for whom EventBridge acts, so a policy of the topic could not hold it to this account.
    rule.addTarget(new SnsTopic(alarms.topic, { authorizeUsingRole: true }));
  }

  /** AWS looks at the whole account: by the service's tag it could look only once somebody has made that a cost allocation tag. */
  private addBudget({ options: { serviceName, budgetDollars }, alarms }: PlatformEventsProps): void {
    alarms.topic.grantPublish(new ServicePrincipal('budgets.amazonaws.com', { conditions: ownAccount }));
    const heardBy = [{ subscriptionType: 'SNS', address: alarms.topic.topicArn }];
    const notify = (notificationType: string) => ({
      notification: {
        notificationType,
        comparisonOperator: 'GREATER_THAN',
        threshold: 100,
        thresholdType: 'PERCENTAGE',
      },
      subscribers: heardBy,
    });
    new CfnBudget(this, 'Budget', {
      budget: {
        budgetName: `${serviceName}-${Aws.REGION}`,
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: budgetDollars, unit: 'USD' },
      },
      notificationsWithSubscribers: [notify('ACTUAL'), notify('FORECASTED')],
    });
  }
}
