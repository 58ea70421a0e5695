// What runs, in the order mail flows: network, listener, the stages of the table; and what watches it. May be deleted and
// made anew at any time without losing a message.
import { fileURLToPath } from 'node:url';
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { QueryDefinition, QueryString } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { DataStack } from '#cdk/data/data-stack.ts';
import type { Options } from '#cdk/options.ts';
import { MailDashboard } from '#cdk/watch/dashboard.ts';
import { PlatformEvents } from '#cdk/watch/events.ts';
import { watch } from '#cdk/watch/watch.ts';
import { idField, messageQueryName } from '#pipeline/contract/message-query.ts';
import { deployedStages, lanesOf, listenerAccess } from '#pipeline/contract/stages.ts';
import { Canaries } from './canaries.ts';
import { ConfigComparison } from './config-comparison.ts';
import { ExportedCertificate } from './exported-certificate.ts';
import { ListenerTasks } from './listener-task.ts';
import { LoadBalancer } from './load-balancer.ts';
import { Network } from './network.ts';
import { StageFunction } from './stage-function.ts';

/** `bundles`: the folder of what the functions and the container run; if left out, the one that came with this code. */
export type ServiceStackProps = StackProps & {
  readonly options: Options;
  readonly data: DataStack;
  readonly bundles?: string | undefined;
};

/** Beside the folder `cdk/`, in the package as in the repository. */
const ownBundles = fileURLToPath(new URL('../../.build', import.meta.url));

export class ServiceStack extends Stack {
  /** Where its alarms go. */
  readonly alarmTopic: ITopic;

  constructor(scope: Construct, id: string, { options, data, bundles = ownBundles, ...props }: ServiceStackProps) {
    super(scope, id, props);
    const network = new Network(this, 'Network', { options, outboundAddress: data.outboundAddress });
    const { vpc } = network;

    const exporter = addCertificate(this, options);
    const tasks = new ListenerTasks(this, 'Listener', { vpc, data, options, bundles });
    const balancer = new LoadBalancer(this, 'Balancer', { vpc, data, tasks, options });

    const outbound = network.outbound === null ? {} : { network: { vpc, securityGroup: network.outbound } };
    const functions = deployedStages(options).map((stage) => {
      const id = `${stage.name.charAt(0).toUpperCase()}${stage.name.slice(1)}`;
      return new StageFunction(this, id, { stage, data, options, bundles, ...(stage.connectsOut ? outbound : {}) });
    });
    changeReadersFirst(tasks, functions);

    const handlers = new Map(functions.map(({ stage, handler }) => [stage.name, handler]));
    const alarms = watch(this, { options, data, balancer, handlers, exporter });
    if (!options.deployAtOnce) new Canaries(this, 'Canaries', { functions, alarms });
    new PlatformEvents(this, 'Platform', { options, tasks, alarms });
    this.alarmTopic = alarms.topic;
    new MailDashboard(this, 'Dashboard', { options, data, balancer, functions, listenerLogs: tasks.logs, alarms });
    new ConfigComparison(this, 'ConfigComparison', { options, data, bundles });
    new CfnOutput(this, 'NextStep', {
      value: `npx pillarbox check --stack ${options.serviceName} --region ${this.region}`,
      description:
        'Run it: it names each setting of the stored configuration that differs from the options of this deploy',
    });
    new QueryDefinition(this, 'FollowOneMessage', {
      queryDefinitionName: messageQueryName(options.serviceName),
      logGroups: [tasks.logs, ...functions.map(({ logs }) => logs)],
      queryString: new QueryString({
        fields: ['@timestamp', '@message'],
        filterStatements: [`${idField} = "PUT-THE-ID-HERE"`],
        sort: '@timestamp',
        limit: 1000,
      }),
    });
  }
}

/** A job that a function is too old for comes back only after a while, so who reads a queue is changed before who writes to it. */
function changeReadersFirst(tasks: ListenerTasks, functions: readonly StageFunction[]): void {
  const writers = [
    { construct: tasks.service, sends: listenerAccess.sends },
    ...functions.map(({ handler, stage }) => ({ construct: handler, sends: stage.sends })),
  ];
  // Mail flows in the order of the table; what a stage sends back, or to itself, waits there as all mail does.
  for (const [at, { construct, sends }] of writers.entries()) {
    for (const { live, stage } of functions.slice(at)) {
      if (lanesOf(stage).some(({ consumes }) => sends.includes(consumes))) construct.node.addDependency(live);
    }
  }
}

function addCertificate(stack: ServiceStack, options: Options): IFunction | null {
  const { certificate, hostedZoneId, hostedZoneName } = options;
  if (certificate !== 'acm' || hostedZoneId === undefined || hostedZoneName === undefined) return null;
  return new ExportedCertificate(stack, 'Certificate', { options, hostedZoneId, zoneName: hostedZoneName }).handler;
}
