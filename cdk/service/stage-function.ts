// One stage as a function: its bundle, its role, its queue (and its slow lane's) as the trigger of the version that is live.
import { Duration, Stack } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Alias,
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge, acknowledgeManagedPolicy } from '#cdk/acknowledge.ts';
import type { DataStack } from '#cdk/data/data-stack.ts';
import type { Options } from '#cdk/options.ts';
import { messagesAtOnce } from '#pipeline/contract/jobs-per-message.ts';
import { lanesOf, type Stage, windowSeconds } from '#pipeline/contract/stages.ts';
import { logsOfMessages } from './message-logs.ts';
import { permit } from './permissions.ts';
import { serviceEnvironment } from './service-environment.ts';

export type StageFunctionProps = {
  readonly stage: Stage;
  readonly data: DataStack;
  readonly options: Options;
  /** Where `local/build-bundles.ts` put what ships. */
  readonly bundles: string;
  /** Where it must leave from by an address of its own (deliver in `mx` mode). */
  readonly network?: { readonly vpc: IVpc; readonly securityGroup: ISecurityGroup };
};

export class StageFunction extends Construct {
  readonly stage: Stage;
  readonly handler: LambdaFunction;
  /** The version that takes jobs. */
  readonly live: Alias;
  readonly logs: LogGroup;

  constructor(scope: Construct, id: string, props: StageFunctionProps) {
    super(scope, id);
    const { stage, data, options, bundles, network } = props;
    this.stage = stage;
    this.logs = logsOfMessages(this, options);
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Stage ${stage.name} of ${options.serviceName}`,
    });
    const consumes = lanesOf(stage).map((lane) => lane.consumes);
    permit(role, { access: stage, consumes, options, mail: data.mail });
    this.logs.grantWrite(role);
    this.handler = new LambdaFunction(this, 'Function', {
      description: `Pillarbox stage ${stage.name}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(`${bundles}/functions/${stage.name}`),
      handler: 'index.handler',
      role,
      memorySize: stage.memoryMiB,
      timeout: Duration.seconds(stage.timeoutSeconds),
      environment: serviceEnvironment(Stack.of(this), stage, options),
      logGroup: this.logs,
      loggingFormat: LoggingFormat.JSON,
      systemLogLevelV2: SystemLogLevel.WARN,
      // Jobs that wait go round by the stage's own queue, and reports of deliver enter at the first: Lambda would end it at the 16th.
      recursiveLoop: RecursiveLoop.ALLOW,
      ...(network === undefined ? {} : { vpc: network.vpc, securityGroups: [network.securityGroup] }),
    });
    this.live = new Alias(this, 'Live', { aliasName: 'live', version: this.handler.currentVersion });
    // Each lane is held to a concurrency of its own: one that is full keeps nothing of the other's.
    for (const lane of lanesOf(stage)) this.live.addEventSource(trigger(lane, data, options));
    if (network !== undefined) allowNetworkInterfaces(role);
    acknowledge(this.handler, { L1: 'nodejs24.x is the newest long-term runtime that the code is tested on.' });
  }
}

function trigger(stage: Stage, data: DataStack, options: Options): SqsEventSource {
  return new SqsEventSource(data.queueNamed(stage.consumes).queue, {
    batchSize: messagesAtOnce(stage),
    maxBatchingWindow: Duration.seconds(windowSeconds(stage, options.batchWindowSeconds)),
    maxConcurrency: stage.maxConcurrency.aws,
    reportBatchItemFailures: true,
  });
}

/** The network interfaces of a function in a VPC: AWS's own policy, since EC2 knows no resource to name for some. */
function allowNetworkInterfaces(role: Role): void {
  role.addManagedPolicy(ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSLambdaVPCAccessExecutionRole'));
  acknowledgeManagedPolicy(
    role,
    'AWSLambdaVPCAccessExecutionRole',
    'A function in a VPC makes its network interfaces under it.',
  );
}
