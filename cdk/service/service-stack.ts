// What runs, in the order mail flows: network, listener, the three stages; and what watches it. May be deleted and
// made anew at any time without losing a message.
import { Stack, type StackProps } from 'aws-cdk-lib';
import { QueryDefinition, QueryString } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { DataStack } from '#cdk/data/data-stack.ts';
import type { Options } from '#cdk/options.ts';
import { MailDashboard } from '#cdk/watch/dashboard.ts';
import { watch } from '#cdk/watch/watch.ts';
import { stages } from '#pipeline/contract/stages.ts';
import { ExportedCertificate } from './exported-certificate.ts';
import { ListenerTasks } from './listener-task.ts';
import { LoadBalancer } from './load-balancer.ts';
import { Network } from './network.ts';
import { StageFunction } from './stage-function.ts';

export class ServiceStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { readonly options: Options; readonly data: DataStack },
  ) {
    super(scope, id, props);
    const { options, data } = props;
    const network = new Network(this, 'Network', { options, outboundAddress: data.outboundAddress });
    const { vpc } = network;

    addCertificate(this, options);
    const tasks = new ListenerTasks(this, 'Listener', { vpc, data, options });
    const balancer = new LoadBalancer(this, 'Balancer', { vpc, data, tasks, options });

    const outbound = network.outbound === null ? {} : { network: { vpc, securityGroup: network.outbound } };
    const authenticate = new StageFunction(this, 'Authenticate', { stage: stages.authenticate, data, options });
    const parse = new StageFunction(this, 'Parse', { stage: stages.parse, data, options });
    const deliver = new StageFunction(this, 'Deliver', { stage: stages.deliver, data, options, ...outbound });
    const functions = [authenticate, parse, deliver];
    // A job that a function is too old for comes back, but only after its queue's visibility timeout: readers are changed first.
    parse.handler.node.addDependency(deliver.handler);
    authenticate.handler.node.addDependency(parse.handler);
    authenticate.handler.node.addDependency(deliver.handler);
    tasks.service.node.addDependency(authenticate.handler);

    const alarms = watch(this, { options, data, balancer });
    new MailDashboard(this, 'Dashboard', { options, data, balancer, functions, alarms });
    new QueryDefinition(this, 'FollowOneMessage', {
      queryDefinitionName: `${options.serviceName}/follow-one-message`,
      logGroups: [tasks.logs, ...functions.map(({ logs }) => logs)],
      queryString: new QueryString({
        fields: ['@timestamp', '@message'],
        filterStatements: ['id = "PUT-THE-ID-HERE"'],
        sort: '@timestamp',
        limit: 1000,
      }),
    });
  }
}

function addCertificate(stack: ServiceStack, options: Options): void {
  const { certificate, hostedZoneId, hostedZoneName } = options;
  if (certificate !== 'acm' || hostedZoneId === undefined || hostedZoneName === undefined) return;
  new ExportedCertificate(stack, 'Certificate', { options, hostedZoneId, zoneName: hostedZoneName });
}
