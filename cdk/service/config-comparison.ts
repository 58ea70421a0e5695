// Each deploy with other options says where the stored configuration differs from them: a custom resource reads it, and what it found is an
// output of the stack.
import { CfnOutput, CustomResource, Duration, Stack } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge } from '#cdk/acknowledge.ts';
import type { DataStack } from '#cdk/data/data-stack.ts';
import { deployedOptions, type Options } from '#cdk/options.ts';
import { configKey } from '#pipeline/contract/keys.ts';
import type { Access } from '#pipeline/contract/stages.ts';
import { permit } from './permissions.ts';
import { serviceEnvironment } from './service-environment.ts';

export type ConfigComparisonProps = {
  readonly options: Options;
  readonly data: DataStack;
  /** Where `local/build-bundles.ts` put what ships. */
  readonly bundles: string;
};

const access: Access = {
  sends: [],
  reads: [configKey],
  writes: [],
  deletes: [],
  looksForAbsent: [],
  forbiddenIsAbsent: [],
  secrets: [],
  emits: [],
};

export class ConfigComparison extends Construct {
  constructor(scope: Construct, id: string, { options, data, bundles }: ConfigComparisonProps) {
    super(scope, id);
    const logs = new LogGroup(this, 'Logs', { retention: options.logDays });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    permit(role, { access, consumes: [], options, mail: data.mail });
    logs.grantWrite(role);
    const handler = new LambdaFunction(this, 'Function', {
      description: 'Says where the stored configuration differs from the options of a deploy',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(`${bundles}/compare-config`),
      handler: 'index.handler',
      role,
      memorySize: 256,
      timeout: Duration.seconds(60),
      environment: serviceEnvironment(Stack.of(this), access, options),
      logGroup: logs,
    });
    acknowledge(handler, { L1: 'nodejs24.x is the newest long-term runtime that the code is tested on.' });
    const comparison = new CustomResource(this, 'Comparison', {
      resourceType: 'Custom::PillarboxConfiguration',
      serviceToken: handler.functionArn,
      serviceTimeout: Duration.minutes(5),
      properties: { Options: JSON.stringify(deployedOptions(options)) },
    });
    new CfnOutput(Stack.of(this), 'StoredConfiguration', {
      value: comparison.getAttString('Found'),
      description:
        'What this deploy found of the stored configuration, and when: a deploy with the same options does not look again',
    });
  }
}
