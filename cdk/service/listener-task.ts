// The listener's tasks: the one bundled file in a small image, not root, nothing writable, on Fargate arm64.
import { Duration, Size, Stack } from 'aws-cdk-lib';
import { type IVpc, Peer, Port, SecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import {
  AvailabilityZoneRebalancing,
  AwsLogDriverMode,
  Cluster,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  LogDriver,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge } from '#cdk/acknowledge.ts';
import type { DataStack } from '#cdk/data/data-stack.ts';
import { deployedOptions, type Options } from '#cdk/options.ts';
import { serviceMetric } from '#cdk/watch/service-metrics.ts';
import { dnsPort } from '#pipeline/contract/deployed-options.ts';
import { listenerAccess } from '#pipeline/contract/stages.ts';
import { logsOfMessages } from './message-logs.ts';
import { permit } from './permissions.ts';
import { serviceEnvironment } from './service-environment.ts';

/** The container's ports by what the world calls them; a task that is not root cannot bind the low ones. */
export const listenerPorts = [
  { name: 'mx', outside: 25, inside: 2525 },
  { name: 'submission', outside: 587, inside: 5870 },
  { name: 'submissions', outside: 465, inside: 4650 },
] as const;

/** Where the container answers `/health`. */
export const healthPort = 8080;

/**
 * Asks `/health`, and ends with 0 if the answer is 200: by the shell of the image, in 4 MB, where a second Node takes 60 of the
 * task's 512. The Dockerfile says the same, since ECS goes by the task definition alone.
 */
export const healthCheck = [
  '/bin/bash',
  '-c',
  `exec 3<>/dev/tcp/127.0.0.1/${healthPort} && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 4 _ status _ <&3 && [ "$status" = 200 ]`,
] as const;

/** The user of the image that owns nothing (`node` of the official image). */
const unprivilegedUser = '1000:1000';

export type ListenerTasksProps = {
  readonly vpc: IVpc;
  readonly data: DataStack;
  readonly options: Options;
  /** Where `local/build-bundles.ts` put what ships. */
  readonly bundles: string;
};

export class ListenerTasks extends Construct {
  readonly service: FargateService;
  readonly securityGroup: SecurityGroup;
  readonly logs: LogGroup;

  constructor(scope: Construct, id: string, props: ListenerTasksProps) {
    super(scope, id);
    const { vpc, options } = props;
    this.logs = logsOfMessages(this, options);
    this.securityGroup = tasksGroup(this, vpc);
    const cluster = new Cluster(this, 'Cluster', {
      vpc,
      containerInsightsV2: ContainerInsights.DISABLED,
      enableFargateCapacityProviders: true,
    });
    this.service = new FargateService(this, 'Service', {
      cluster,
      taskDefinition: this.taskDefinition(props),
      desiredCount: options.tasks,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      // The balancer gives mail for us to tasks in the zone it came to: none may stay without one.
      availabilityZoneRebalancing: AvailabilityZoneRebalancing.ENABLED,
      healthCheckGracePeriod: Duration.seconds(60),
      // Public subnets, so that S3, SQS and secrets are reached without a NAT gateway; nobody can connect from outside.
      assignPublicIp: true,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      securityGroups: [this.securityGroup],
      capacityProviderStrategies: options.spot
        ? [
            // Where there is no room on Spot, a task is not started at all: a part of a growing fleet never depends on it.
            { capacityProvider: 'FARGATE', base: 1, weight: 1 },
            { capacityProvider: 'FARGATE_SPOT', weight: 3 },
          ]
        : [{ capacityProvider: 'FARGATE', weight: 1 }],
    });
    // ECS refuses a strategy of providers that the cluster has not got yet.
    this.service.node.addDependency(cluster);
    this.scale(options);
    acknowledge(this, {
      ECS4: 'Container Insights costs more than the tasks; the dashboard has the metrics that matter.',
    });
  }

  private taskDefinition({ data, options, bundles }: ListenerTasksProps): FargateTaskDefinition {
    const principal = new ServicePrincipal('ecs-tasks.amazonaws.com');
    const taskRole = new Role(this, 'Role', {
      assumedBy: principal,
      description: `Listener of ${options.serviceName}`,
    });
    permit(taskRole, { access: listenerAccess, consumes: [], options, mail: data.mail });
    const definition = new FargateTaskDefinition(this, 'Task', {
      cpu: options.taskCpu,
      memoryLimitMiB: options.taskMemoryMiB,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
      taskRole,
    });
    definition.addContainer('listener', {
      // Whatever machine builds it: the tasks are arm64.
      image: ContainerImage.fromAsset(`${bundles}/container`, { platform: Platform.LINUX_ARM64 }),
      user: unprivilegedUser,
      readonlyRootFilesystem: true,
      stopTimeout: Duration.seconds(120),
      portMappings: [...listenerPorts.map(({ inside }) => inside), healthPort].map((containerPort) => ({
        containerPort,
      })),
      environment: {
        ...serviceEnvironment(Stack.of(this), listenerAccess, options),
        ...listenerEnvironment(Stack.of(this), options),
      },
      // Mail does not wait for the log: what CloudWatch does not take for a while is kept up to a size, then dropped.
      logging: LogDriver.awsLogs({
        logGroup: this.logs,
        streamPrefix: 'listener',
        mode: AwsLogDriverMode.NON_BLOCKING,
        maxBufferSize: Size.mebibytes(8),
      }),
      healthCheck: {
        command: ['CMD', ...healthCheck],
        interval: Duration.seconds(30),
        startPeriod: Duration.seconds(20),
      },
    });
    const reason =
      'The variables say where things are; secrets are read at run time and never stand in the task definition.';
    acknowledge(definition, {
      ECS2: reason,
      'IAM5[Resource::*]': "ECR's login token belongs to no repository: AWS grants it on all or none.",
    });
    return definition;
  }

  private scale(options: Options): void {
    const scaling = this.service.autoScaleTaskCount({ minCapacity: options.tasks, maxCapacity: options.maxTasks });
    scaling.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60, scaleInCooldown: Duration.minutes(10) });
    scaling.scaleToTrackCustomMetric('Connections', {
      metric: serviceMetric(options, {
        stage: 'listener',
        name: 'connections-open',
        statistic: 'Average',
        period: Duration.minutes(1),
      }),
      targetValue: options.connectionsPerTask,
      scaleInCooldown: Duration.minutes(10),
    });
  }
}

/**
 * The world can connect to the tasks: they call out to AWS (S3, SQS, secrets, log, image) and to DNS servers alone. What AWS
 * answers at link-local addresses and the DNS of the VPC is not subject to security groups.
 */
function tasksGroup(scope: Construct, vpc: IVpc): SecurityGroup {
  const description = 'Pillarbox listener tasks';
  const group = new SecurityGroup(scope, 'SecurityGroup', { vpc, description, allowAllOutbound: false });
  group.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS');
  for (const port of [Port.udp(dnsPort), Port.tcp(dnsPort)]) group.addEgressRule(Peer.anyIpv4(), port, 'DNS');
  return group;
}

/** A function is told its region by Lambda; a task is not told by anything that is promised. */
function listenerEnvironment({ region }: Stack, options: Options): Record<string, string> {
  return {
    AWS_REGION: region,
    PILLARBOX_LISTENERS: listenerPorts.map(({ name, inside }) => `${name}:${inside}`).join(','),
    PILLARBOX_HEALTH_PORT: String(healthPort),
    PILLARBOX_MEMORY_MIB: String(options.taskMemoryMiB),
    PILLARBOX_OPTIONS: JSON.stringify(deployedOptions(options)),
    ...(options.proxyProtocol ? { PILLARBOX_PROXY_PROTOCOL: 'v2' } : {}),
  };
}
