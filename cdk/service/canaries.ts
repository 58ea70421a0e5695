// How a new version of a function goes live: it takes one batch in ten for five minutes first, and is taken back if its runs end in errors.
import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { LambdaApplication, LambdaDeploymentConfig, LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acknowledgeManagedPolicy } from '#cdk/acknowledge.ts';
import type { Alarms } from '#cdk/watch/alarms.ts';
import type { StageFunction } from './stage-function.ts';

export type CanariesProps = { readonly functions: readonly StageFunction[]; readonly alarms: Alarms };

/** CodeDeploy moves each function's alias; the deploy of a version that is taken back fails, and CloudFormation undoes all of it. */
export class Canaries extends Construct {
  constructor(scope: Construct, id: string, { functions, alarms }: CanariesProps) {
    super(scope, id);
    const application = new LambdaApplication(this, 'Application');
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('codedeploy.amazonaws.com'),
      description: 'Moves functions to their new versions',
    });
    acknowledgeManagedPolicy(role, 'AWSCodeDeployRoleForLambdaLimited', 'What moving an alias takes, as AWS keeps it.');
    for (const { stage, live } of functions) {
      new LambdaDeploymentGroup(this, stage.name, {
        application,
        role,
        alias: live,
        deploymentConfig: LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
        alarms: [
          alarms.add({
            runbook: 'new-version-fails',
            of: stage.name,
            meaning: `Runs of the new version of stage ${stage.name} end in errors: it was taken back.`,
            metric: errorsOf(live),
            threshold: 1,
          }),
        ],
      });
    }
  }
}

/**
 * Of the version that the alias is to move to, while it takes a part of the jobs: if the version before it is what fails, the alarm is
 * silent, and the deploy that mends it goes through.
 */
function errorsOf(live: StageFunction['live']): Metric {
  return new Metric({
    namespace: 'AWS/Lambda',
    metricName: 'Errors',
    statistic: 'Sum',
    period: Duration.minutes(1),
    dimensionsMap: {
      FunctionName: live.lambda.functionName,
      Resource: `${live.lambda.functionName}:${live.aliasName}`,
      ExecutedVersion: live.version.version,
    },
  });
}
