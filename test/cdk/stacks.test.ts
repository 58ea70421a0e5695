import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { smallStanding } from '#bench/cost/cost.ts';
import { parseEnvironment } from '#pipeline/aws/environment.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { deployedProblems } from '#pipeline/config/deployed-problems.ts';
import { deployedOptionsSchema } from '#pipeline/contract/deployed-options.ts';
import { messageQuery, messageQueryName } from '#pipeline/contract/message-query.ts';
import { deployedStages, lanesOf, stages, tellingReceives } from '#pipeline/contract/stages.ts';
import { watchedMetrics } from '#pipeline/observe/metric-names.ts';
import { resourceFaults } from './resource-faults.ts';
import { flat, resourcesOf, synthesize } from './synthesize.ts';

const mixes = [
  {},
  { deliveryMode: 'mx', encryption: 'kms', spot: true, versioning: true },
  { ipAddressType: 'dualstack', preserveClientIp: false, proxyProtocol: true },
  {
    certificate: 'acm',
    hostedZoneId: 'Z0123456789',
    hostedZoneName: 'pillarbox.example',
    alarmEmail: 'ops@pillarbox.example',
  },
  {
    smarthost: 'smtp.relay.example',
    smarthostUser: 'app',
    noMailHours: 0,
    serviceName: 'post-office',
    deployAtOnce: true,
  },
];

for (const mix of mixes) {
  test(`both stacks synthesize without findings of cdk-nag or CloudFormation, by AWS’s own schema of resources: ${JSON.stringify(mix)}`, async () => {
    const { data, service } = await synthesize(mix);
    assert.deepEqual([...resourceFaults(data.toJSON()), ...resourceFaults(service.toJSON())], []);
  });
}

test('what CloudFormation would refuse is found: a wrong name, a missing one, another type, a value that is not allowed', async () => {
  const { service } = await synthesize();
  const [[id, authenticate]] = stageFunctions(service) as any;
  const planted = (properties: object) =>
    resourceFaults({
      Resources: { F: { ...authenticate, Properties: { ...authenticate.Properties, ...properties } } },
    });
  assert.deepEqual(planted({}), [], id);
  const at = 'F (AWS::Lambda::Function)';
  assert.deepEqual(planted({ Timeuot: 60 }), [`${at}.Timeuot: no such property`]);
  assert.deepEqual(planted({ Role: undefined }), [`${at}.Role: is missing`]);
  assert.deepEqual(planted({ Timeout: 'a minute' }), [`${at}.Timeout: a minute is no whole number`]);
  assert.deepEqual(planted({ RecursiveLoop: 'Yes' }), [`${at}.RecursiveLoop: Yes is none of Allow, Terminate`]);
  assert.deepEqual(planted({ LoggingConfig: { Group: 'x' } }), [`${at}.LoggingConfig.Group: no such property`]);
  assert.deepEqual(planted({ Architectures: 'arm64' }), [`${at}.Architectures: is no list`]);
  assert.deepEqual(resourceFaults({ Resources: { F: { Type: 'AWS::Lambda::Fun' } } }), [
    'F: there is no AWS::Lambda::Fun',
  ]);
});

test('every queue that a stage reads has a dead-letter queue, hides what it gave out for as long as a run may take, and is encrypted', async () => {
  const { data } = await synthesize();
  const queues = resourcesOf(data, 'AWS::SQS::Queue');
  for (const stage of Object.values(stages).flatMap(lanesOf)) {
    const [, queue] = queues.find(([, { Properties }]) => Properties.QueueName === `pillarbox-${stage.consumes}`)!;
    const [deadId] = queues.find(([, { Properties }]) => Properties.QueueName === `pillarbox-${stage.consumes}-dead`)!;
    assert.equal(flat(queue.Properties.RedrivePolicy.deadLetterTargetArn), `<${deadId}.Arn>`);
    assert.equal(queue.Properties.RedrivePolicy.maxReceiveCount, stage.maxHandOuts + tellingReceives);
    const { VisibilityTimeout } = queue.Properties;
    const ofRun = stage.timeoutSeconds + Math.min(4, stage.longestWindowSeconds);
    assert.ok(VisibilityTimeout > ofRun && VisibilityTimeout <= ofRun + 10, 'a run, and little more');
  }
  for (const [, { Properties, DeletionPolicy }] of queues) {
    assert.equal(Properties.SqsManagedSseEnabled, true);
    assert.equal(Properties.MessageRetentionPeriod, 14 * 86_400);
    assert.equal(DeletionPolicy, 'Retain');
  }
});

test('every stage has alarms on its dead letters, on the age of its queue and on its errors', async () => {
  const { service } = await synthesize();
  const names = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties.AlarmName);
  for (const { name: stage } of deployedStages({ hooks: false })) {
    for (const kind of ['dead-letters', 'queue-age', 'stage-errors'])
      assert.ok(names.includes(`pillarbox-${kind}-${stage}`));
  }
  for (const name of ['dead-letters-received-slow', 'slow-lane-received-slow', 'stage-errors-received-slow'])
    assert.ok(names.includes(`pillarbox-${name}`), name);
  for (const kind of [
    'no-mail',
    'authentication-attack',
    'port-25-blocked',
    'certificate-expiring',
    'listener-unhealthy',
    'store-failing',
    'config-broken',
  ]) {
    assert.ok(names.includes(`pillarbox-${kind}`), kind);
  }
});

test('the function that calls hooks is there with option hooks alone, with its alarms; its queue is there always', async () => {
  const without = await synthesize();
  const { service } = await synthesize({ hooks: 'true' });
  const queues = resourcesOf(without.data, 'AWS::SQS::Queue').map(([, { Properties }]) => Properties.QueueName);
  assert.ok(queues.includes('pillarbox-notify') && queues.includes('pillarbox-notify-dead'));
  const added = (type: string) => resourcesOf(service, type).length - resourcesOf(without.service, type).length;
  assert.deepEqual([added('AWS::Lambda::Function'), added('AWS::Lambda::EventSourceMapping')], [1, 1]);
  const names = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties.AlarmName);
  for (const kind of ['dead-letters', 'queue-age', 'stage-errors', 'own-fault'])
    assert.ok(names.includes(`pillarbox-${kind}-notify`), kind);
  const [[, alarm]] = resourcesOf(service, 'AWS::CloudWatch::Alarm').filter(
    ([, { Properties }]) => Properties.AlarmName === 'pillarbox-queue-age-notify',
  ) as any;
  assert.ok(alarm.Properties.Threshold > 900, 'a job that waits for its next attempt is not late');
});

test('every alarm tells somebody and names an entry that the runbook has', async () => {
  const { service } = await synthesize();
  const entries = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  for (const [, { Properties }] of resourcesOf(service, 'AWS::CloudWatch::Alarm')) {
    const [, entry] = /docs\/runbook\.md#(\S+)$/.exec(Properties.AlarmDescription) ?? [];
    assert.ok(entries.includes(entry), `${Properties.AlarmName}: ${Properties.AlarmDescription}`);
    assert.equal(Properties.AlarmActions.length, 1);
  }
});

test('the bill has as many alarms as a deployment: one for each metric that an alarm looks at', async () => {
  const { service } = await synthesize();
  const looked = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) =>
    Math.max(1, (Properties.Metrics ?? []).filter((metric: any) => metric.MetricStat !== undefined).length),
  );
  assert.equal(
    looked.reduce((sum, metrics) => sum + metrics, 0),
    smallStanding.alarms,
  );
});

test('CloudWatch stores no metric that no alarm, graph or scaling looks at', async () => {
  const { service } = await synthesize();
  const looking = [
    'AWS::CloudWatch::Alarm',
    'AWS::CloudWatch::Dashboard',
    'AWS::ApplicationAutoScaling::ScalingPolicy',
  ];
  const text = looking.map((type) => JSON.stringify(resourcesOf(service, type))).join();
  for (const metric of watchedMetrics) assert.match(text, new RegExp(`"${metric}\\\\*"`), metric);
});

test('refusals, verdicts and how long mail takes are read from the log of those who write it, and cost nothing until then', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::CloudWatch::Dashboard') as any;
  const { widgets } = JSON.parse(flat(Properties.DashboardBody));
  const queries = widgets.filter(({ type }: any) => type === 'log').map(({ properties }: any) => properties.query);
  assert.equal(queries.length, 4);
  assert.match(queries[0], /^SOURCE '<ListenerLogs\w+>'.* stats sum\(`refusals`\) by reason, bin\(5m\)$/s);
  assert.match(queries[1], /^SOURCE '<AuthenticateLogs\w+>'.* 'message-judged'.* by dmarc, quarantined, bin\(5m\)$/s);
  assert.match(queries[2], /^SOURCE '<AuthenticateLogs\w+>'.* sum\(`dns-breakers-opened`\) by bin\(5m\)$/s);
  assert.match(queries[3], /^SOURCE '<ParseLogs\w+>'.* pct\(seconds, 50\), pct\(seconds, 99\) by bin\(5m\)$/s);
});

test('a function may send to its own queue for as long as a job waits: Lambda does not take it for a runaway loop', async () => {
  const { service } = await synthesize();
  const functions = stageFunctions(service);
  assert.equal(functions.length, 3);
  for (const [id, { Properties }] of functions) assert.equal(Properties.RecursiveLoop, 'Allow', id);
});

test('alarms see what ends a function in the middle of a run, throttles, and a certificate that is not exported', async () => {
  const { service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  for (const [name, metric] of [
    ['function-errors', 'Errors'],
    ['function-throttles', 'Throttles'],
  ]) {
    const { Metrics } = alarms.find(({ AlarmName }) => AlarmName === `pillarbox-${name}`)!;
    const watched = Metrics.filter(({ MetricStat }: any) => MetricStat).map(({ MetricStat }: any) => MetricStat.Metric);
    assert.deepEqual(
      watched.map(({ MetricName, Dimensions }: any) => `${MetricName} ${flat(Dimensions[0].Value)}`).sort(),
      stageFunctions(service)
        .map(([id]) => `${metric} <${id}>`)
        .sort(),
    );
  }
  const acm = { certificate: 'acm', hostedZoneId: 'Z0123456789', hostedZoneName: 'pillarbox.example' };
  const withExport = await synthesize({ ...acm, alarmEmail: 'ops@pillarbox.example' });
  assert.ok(alarmNames(withExport.service).includes('pillarbox-certificate-not-exported'));
});

test('mail that waits for a fault of ours, as what SES does not send for us, raises an alarm with the first job', async () => {
  const { service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  const { Metrics, Threshold } = alarms.find(({ AlarmName }) => AlarmName === 'pillarbox-own-fault-deliver')!;
  const [{ MetricStat }] = Metrics;
  assert.deepEqual([MetricStat.Metric.MetricName, MetricStat.Period, Threshold], ['jobs', 900, 1]);
  const dimensions = MetricStat.Metric.Dimensions.map(({ Name, Value }: any) => [Name, Value]);
  assert.deepEqual(Object.fromEntries(dimensions), { stage: 'deliver', queue: 'deliver', outcome: 'waits' });
});

test('a store that fails raises an alarm also under PROXY v2, where the health check only connects', async () => {
  const { service } = await synthesize({ ipAddressType: 'dualstack', preserveClientIp: false, proxyProtocol: true });
  assert.ok(alarmNames(service).includes('pillarbox-store-failing'));
});

test('whoever hears the alarms hears of tasks that cannot start, of a fleet at its most, and of a bill over the budget', async () => {
  const { service } = await synthesize();
  const [[topicId]] = resourcesOf(service, 'AWS::SNS::Topic') as any;
  const told = resourcesOf(service, 'AWS::Events::Rule').map(([, { Properties }]) => Properties);
  assert.deepEqual(told.map(({ EventPattern, Targets }) => `${EventPattern.source} ${flat(Targets[0].Arn)}`).sort(), [
    `aws.application-autoscaling <${topicId}>`,
    `aws.ecs <${topicId}>`,
  ]);
  const [[, { Properties }]] = resourcesOf(service, 'AWS::Budgets::Budget') as any;
  assert.equal(Properties.Budget.BudgetLimit.Amount, 300);
  for (const { Subscribers } of Properties.NotificationsWithSubscribers)
    assert.equal(flat(Subscribers[0].Address), `<${topicId}>`);
  const [[, policy]] = resourcesOf(service, 'AWS::SNS::TopicPolicy') as any;
  const mayPublish = policy.Properties.PolicyDocument.Statement.flatMap(({ Principal }: any) => Principal?.Service);
  for (const who of ['cloudwatch', 'budgets']) assert.ok(mayPublish.includes(`${who}.amazonaws.com`), who);
  for (const { Targets } of told) {
    const role = flat(Targets[0].RoleArn).slice(1, -'.Arn>'.length);
    const policies = resourcesOf(service, 'AWS::IAM::Policy').map(([, policy]) => policy.Properties);
    const [
      {
        PolicyDocument: { Statement },
      },
    ] = policies.filter(({ Roles }) => Roles[0].Ref === role) as any;
    assert.deepEqual(Statement, [{ Action: 'sns:Publish', Effect: 'Allow', Resource: { Ref: topicId } }]);
  }
  const none = await synthesize({ budgetDollars: 0, taskMemoryMiB: 2_048 });
  assert.equal(resourcesOf(none.service, 'AWS::Budgets::Budget').length, 0);
});

test('synth warns if nobody hears the alarms', async () => {
  const heard = { certificate: 'acm', hostedZoneId: 'Z0123456789', hostedZoneName: 'pillarbox.example' };
  const warned = (warnings: readonly string[]) => warnings.some((text) => text.startsWith('Nobody hears the alarms'));
  assert.ok(warned((await synthesize()).warnings));
  assert.ok(!warned((await synthesize({ ...heard, alarmEmail: 'ops@pillarbox.example' })).warnings));
});

test('the graphs find the metrics of a service whose name has a hyphen: each name of a SEARCH is quoted', async () => {
  const { service } = await synthesize(mixes[4]);
  const [[, { Properties }]] = resourcesOf(service, 'AWS::CloudWatch::Dashboard') as any;
  const searches = [...flat(Properties.DashboardBody).matchAll(/SEARCH\('\{(.*?)\}/g)].map(([, names]) => names);
  assert.ok(searches.length > 0);
  for (const names of searches) assert.match(names!.replaceAll('\\', ''), /^"post-office","stage"(?:,"[a-z]+")*$/);
});

test('one query over the logs of the listener and of every function tells the story of a message, by an index of its id', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::Logs::QueryDefinition') as any;
  const asked = Properties.LogGroupNames.map(flat).sort();
  const own = resourcesOf(service, 'AWS::Logs::LogGroup').filter(([id]) => !id.includes('Rejected'));
  assert.deepEqual(asked, own.map(([id]) => `<${id}>`).sort());
  for (const [id, group] of own) assert.deepEqual(group.Properties.FieldIndexPolicies, [{ Fields: ['id'] }], id);
  assert.equal(Properties.Name, messageQueryName('pillarbox'));
  assert.equal(Properties.QueryString, messageQuery('PUT-THE-ID-HERE', 1000), 'it is what "pillarbox trace" asks');
});

test('each function runs its own bundle on nodejs24.x arm64, told its jobs with partial batches and a cap', async () => {
  const { service, directory } = await synthesize();
  const mappings = resourcesOf(service, 'AWS::Lambda::EventSourceMapping');
  const lanes = deployedStages({ hooks: false }).flatMap(lanesOf);
  assert.equal(mappings.length, lanes.length);
  assert.deepEqual(
    mappings.map(([, { Properties }]) => Properties.ScalingConfig.MaximumConcurrency).sort(),
    lanes.map(({ maxConcurrency }) => maxConcurrency.aws).sort(),
    'the slow lane has a concurrency of its own, so that it takes nothing from the other',
  );
  const windows = mappings.map(([, { Properties }]) => Properties.MaximumBatchingWindowInSeconds).sort();
  assert.deepEqual(windows, [2, 4, 4, 4], 'what comes in batches is gathered for two seconds');
  for (const [, { Properties }] of mappings) {
    assert.deepEqual(Properties.FunctionResponseTypes, ['ReportBatchItemFailures']);
    assert.ok(Properties.ScalingConfig.MaximumConcurrency >= 2);
  }
  const assets = stageFunctions(service).map(([, { Properties }]) => Properties.Code.S3Key);
  assert.equal(new Set(assets).size, assets.length);
  for (const [id, { Properties }] of stageFunctions(service)) {
    assert.deepEqual([Properties.Runtime, Properties.Architectures], ['nodejs24.x', ['arm64']], id);
    assert.ok(statSync(join(assetOf(directory, Properties.Code.S3Key), 'index.mjs')).size > 0);
  }
});

test('who reads a queue is deployed before whoever writes to it: no job of a new version meets an old function', async () => {
  const { service } = await synthesize();
  const functionOf = (name: string) => stageFunctions(service).find(([id]) => id.toLowerCase().startsWith(name))!;
  const live = resourcesOf(service, 'AWS::Lambda::Alias');
  const aliasOf = (name: string) =>
    live.find(([, { Properties }]) => Properties.FunctionName.Ref === functionOf(name)[0])![0];
  const isBefore = (reader: string, [id, { DependsOn = [] }]: (typeof services)[number]) =>
    assert.ok([DependsOn].flat().includes(aliasOf(reader)), `${id} does not wait for ${reader}`);
  const services = resourcesOf(service, 'AWS::ECS::Service');
  isBefore('parse', functionOf('authenticate'));
  isBefore('deliver', functionOf('authenticate'));
  isBefore('deliver', functionOf('parse'));
  isBefore('authenticate', services[0]!);
});

test('a new version of a function takes a tenth of the jobs first, and is taken back if its own runs end in errors', async () => {
  const { service } = await synthesize();
  const aliases = new Map(resourcesOf(service, 'AWS::Lambda::Alias'));
  const alarms = new Map(resourcesOf(service, 'AWS::CloudWatch::Alarm'));
  const groups = new Map(resourcesOf(service, 'AWS::CodeDeploy::DeploymentGroup'));
  assert.deepEqual([aliases.size, groups.size], [3, 3]);
  for (const [id, alias] of aliases as Map<string, any>) {
    const { FunctionName, FunctionVersion } = alias.Properties;
    const group = groups.get(alias.UpdatePolicy.CodeDeployLambdaAliasUpdate.DeploymentGroupName.Ref)!;
    assert.equal(group.Properties.DeploymentConfigName, 'CodeDeployDefault.LambdaCanary10Percent5Minutes', id);
    assert.deepEqual(group.Properties.AutoRollbackConfiguration.Events.sort(), [
      'DEPLOYMENT_FAILURE',
      'DEPLOYMENT_STOP_ON_ALARM',
    ]);
    const [{ Name }] = group.Properties.AlarmConfiguration.Alarms;
    const { Dimensions, Threshold, Period } = alarms.get(Name.Ref)!.Properties;
    const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }: any) => [Name, Value]));
    assert.deepEqual(dimensions.ExecutedVersion, FunctionVersion);
    assert.equal(flat(dimensions.Resource), `<${FunctionName.Ref}>:live`);
    assert.deepEqual([Threshold, Period], [1, 60]);
  }
  const mappings = resourcesOf(service, 'AWS::Lambda::EventSourceMapping');
  for (const [id, { Properties }] of mappings) {
    const called = JSON.stringify(Properties.FunctionName);
    assert.ok([...aliases.keys()].some((alias) => called.includes(`{"Ref":"${alias}"}`)) && /live/.test(called), id);
  }
});

test('with deployAtOnce a new version takes all jobs at once, and nothing of CodeDeploy is made', async () => {
  const { service } = await synthesize(mixes.at(-1));
  assert.deepEqual(resourcesOf(service, 'AWS::CodeDeploy::DeploymentGroup'), []);
  assert.ok(resourcesOf(service, 'AWS::Lambda::Alias').every(([, alias]) => !('UpdatePolicy' in alias)));
});

test('the variables of each function and of the listener are what the code parses, and name only what it may touch', async () => {
  const { service } = await synthesize({ hooks: 'true' });
  for (const stage of Object.values(stages)) {
    const [, { Properties }] = stageFunctions(service).find(([id]) => id.toLowerCase().startsWith(stage.name))!;
    const variables = Object.fromEntries(
      Object.entries<any>(Properties.Environment.Variables).map(([name, value]) => [name, flat(value)]),
    );
    const environment = parseEnvironment({ ...asUrls(variables), AWS_REGION: 'eu-central-1' }, { queues: stage.sends });
    assert.deepEqual(Object.keys(environment.queueUrls).sort(), [...stage.sends].sort());
    assert.equal(environment.secretsPrefix, 'pillarbox/');
  }
});

test('the listener is not root, has nothing writable, and gets two minutes to finish', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  const [container] = Properties.ContainerDefinitions;
  assert.equal(container.User, '1000:1000');
  assert.equal(container.ReadonlyRootFilesystem, true);
  assert.equal(container.StopTimeout, 120);
  assert.equal(Properties.RuntimePlatform.CpuArchitecture, 'ARM64');
  assert.deepEqual(
    container.PortMappings.map((mapping: any) => mapping.ContainerPort),
    [2525, 5870, 4650, 8080],
  );
  assert.equal(Properties.NetworkMode, 'awsvpc');
});

test('the cluster has the capacity providers that the service asks for, before it asks', async () => {
  for (const mix of [{}, { deliveryMode: 'mx', encryption: 'kms', spot: true, versioning: true }]) {
    const { service } = await synthesize(mix);
    const [[id, { Properties: has }]] = resourcesOf(service, 'AWS::ECS::ClusterCapacityProviderAssociations') as any;
    const [[, { Properties: wants, DependsOn }]] = resourcesOf(service, 'AWS::ECS::Service') as any;
    for (const { CapacityProvider } of wants.CapacityProviderStrategy)
      assert.ok(has.CapacityProviders.includes(CapacityProvider), CapacityProvider);
    assert.ok(DependsOn.includes(id), `${DependsOn}`);
  }
});

test('the image is built for the processors that run it, on whatever machine', async () => {
  const { service, directory } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  assert.equal(Properties.RuntimePlatform.CpuArchitecture, 'ARM64');
  const [file = ''] = readdirSync(directory).filter((name) => name.endsWith('-service.assets.json'));
  const { dockerImages } = JSON.parse(readFileSync(join(directory, file), 'utf8'));
  const platforms = Object.values<any>(dockerImages).map(({ source }) => source.platform);
  assert.deepEqual(platforms, ['linux/arm64']);
});

test('the health check of a task is the image’s own, and no second Node in the memory of a task', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  const [{ HealthCheck }] = Properties.ContainerDefinitions;
  const [, inImage = ''] = /^HEALTHCHECK .*\\\n {2}CMD (.*)$/m.exec(readFileSync('container/Dockerfile', 'utf8')) ?? [];
  assert.deepEqual(HealthCheck.Command, ['CMD', ...JSON.parse(inImage)]);
  assert.equal(HealthCheck.Command[1], '/bin/bash');
});

test('the listener does not wait for its log', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  const [{ LogConfiguration }] = Properties.ContainerDefinitions;
  assert.deepEqual([LogConfiguration.LogDriver, LogConfiguration.Options.mode], ['awslogs', 'non-blocking']);
});

test('the load balancer keeps each client’s address and cuts nothing that is in flight', async () => {
  const { service } = await synthesize();
  const groups = resourcesOf(service, 'AWS::ElasticLoadBalancingV2::TargetGroup');
  assert.deepEqual(
    groups.map(([, { Properties }]) => Properties.Port),
    [2525, 5870, 4650],
  );
  for (const [, { Properties }] of groups) {
    const attributes = attributesOf(Properties.TargetGroupAttributes);
    assert.equal(attributes['preserve_client_ip.enabled'], 'true');
    assert.equal(attributes['proxy_protocol_v2.enabled'], 'false');
    assert.equal(attributes['deregistration_delay.connection_termination.enabled'], 'false');
    assert.equal(attributes['target_health_state.unhealthy.connection_termination.enabled'], 'false');
    assert.ok(Number(attributes['deregistration_delay.timeout_seconds']) >= 120);
    assert.deepEqual(
      [Properties.HealthCheckPath, Properties.HealthCheckPort, Properties.HealthCheckProtocol],
      ['/health', '8080', 'HTTP'],
    );
    assert.equal(Properties.TargetType, 'ip');
    assert.ok(Properties.HealthCheckTimeoutSeconds < Properties.HealthCheckIntervalSeconds);
  }
  for (const [, { Properties }] of resourcesOf(service, 'AWS::ElasticLoadBalancingV2::Listener')) {
    assert.ok(Number(attributesOf(Properties.ListenerAttributes)['tcp.idle_timeout.seconds']) >= 600);
  }
  const [[, balancer]] = resourcesOf(service, 'AWS::ElasticLoadBalancingV2::LoadBalancer') as any;
  assert.equal(balancer.Properties.SecurityGroups.length, 1);
  assert.equal(balancer.Properties.SubnetMappings.length, 2);
});

test('mail for us stays in the zone it came to, where ECS keeps a task; submission reaches the tasks of either zone', async () => {
  const { service } = await synthesize();
  const crosses = resourcesOf(service, 'AWS::ElasticLoadBalancingV2::TargetGroup').map(([, { Properties }]) => [
    Properties.Port,
    attributesOf(Properties.TargetGroupAttributes)['load_balancing.cross_zone.enabled'],
  ]);
  assert.deepEqual(crosses, [
    [2525, 'false'],
    [5870, 'true'],
    [4650, 'true'],
  ]);
  const [[, tasks]] = resourcesOf(service, 'AWS::ECS::Service') as any;
  assert.equal(tasks.Properties.AvailabilityZoneRebalancing, 'ENABLED');
  assert.ok(tasks.Properties.DeploymentConfiguration.MaximumPercent > 100, 'which rebalancing needs');
});

test('only the three ports are open to the world, and what tells that packets were too large; tasks hear the balancer alone', async () => {
  const shown = ({ IpProtocol, FromPort, ToPort, CidrIp, CidrIpv6 }: any) =>
    `${IpProtocol} ${FromPort}-${ToPort} ${CidrIp ?? CidrIpv6}`;
  const open = async (options: Record<string, unknown>) => {
    const groups = resourcesOf((await synthesize(options)).service, 'AWS::EC2::SecurityGroup');
    return groups.flatMap(([, { Properties }]) => (Properties.SecurityGroupIngress ?? []).map(shown)).sort();
  };
  const v4 = ['icmp 3-4 0.0.0.0/0', 'tcp 25-25 0.0.0.0/0', 'tcp 465-465 0.0.0.0/0', 'tcp 587-587 0.0.0.0/0'];
  assert.deepEqual(await open({}), v4);
  const both = await open({ ipAddressType: 'dualstack', preserveClientIp: false, proxyProtocol: true });
  const v6 = ['icmpv6 2-0 ::/0', 'tcp 25-25 ::/0', 'tcp 465-465 ::/0', 'tcp 587-587 ::/0'];
  assert.deepEqual(both, [...v4, ...v6].sort());
  const { service } = await synthesize();
  const inner = resourcesOf(service, 'AWS::EC2::SecurityGroupIngress').map(([, { Properties }]) => Properties);
  assert.deepEqual(inner.map(({ IpProtocol, FromPort }) => `${IpProtocol} ${FromPort}`).sort(), [
    'icmp 3',
    'tcp 2525',
    'tcp 4650',
    'tcp 5870',
    'tcp 8080',
  ]);
  assert.ok(inner.every(({ SourceSecurityGroupId }) => flat(SourceSecurityGroupId).startsWith('<Balancer')));
});

test('with PROXY protocol the target groups speak it, and their health check only connects', async () => {
  const { service } = await synthesize({ ipAddressType: 'dualstack', preserveClientIp: false, proxyProtocol: true });
  for (const [, { Properties }] of resourcesOf(service, 'AWS::ElasticLoadBalancingV2::TargetGroup')) {
    assert.equal(attributesOf(Properties.TargetGroupAttributes)['proxy_protocol_v2.enabled'], 'true');
    assert.equal(Properties.HealthCheckProtocol, 'TCP');
    assert.ok(Properties.HealthCheckTimeoutSeconds < Properties.HealthCheckIntervalSeconds);
  }
  const [[, task]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  const variables = task.Properties.ContainerDefinitions[0].Environment;
  assert.ok(variables.some(({ Name, Value }: any) => Name === 'PILLARBOX_PROXY_PROTOCOL' && Value === 'v2'));
});

test('the bucket is kept, never public, TLS only, and swept by prefix', async () => {
  const { data } = await synthesize();
  const [[, bucket]] = resourcesOf(data, 'AWS::S3::Bucket') as any;
  assert.equal(bucket.DeletionPolicy, 'Retain');
  assert.ok(Object.values(bucket.Properties.PublicAccessBlockConfiguration).every(Boolean));
  const prefixes = bucket.Properties.LifecycleConfiguration.Rules.map((rule: any) => rule.Prefix).filter(Boolean);
  const swept = [
    'attachments/',
    'config/history/',
    'deliveries/',
    'destinations/',
    'inbox/',
    'quarantine/',
    'raw/',
    'verdicts/',
  ];
  assert.deepEqual(prefixes.sort(), swept);
});

test('a VPC that is there already is used as it is: nothing of a network is made, and mail leaves by the address it has', async () => {
  const { data, service, warnings } = await synthesize({
    deliveryMode: 'mx',
    vpcId: 'vpc-0a1b2c3d',
    zones: 'us-east-1a us-east-1b',
    publicSubnets: ['subnet-0a1b2c3d', 'subnet-1a1b2c3d'],
    privateSubnets: 'subnet-2a1b2c3d subnet-3a1b2c3d',
    outboundAddress: '192.0.2.53',
    alarmEmail: 'ops@pillarbox.example',
  });
  const told = warnings.filter((warning) => !warning.includes('is a placeholder')); // names of examples
  assert.deepEqual([...resourceFaults(data.toJSON()), ...resourceFaults(service.toJSON()), ...told], []);
  const made = Object.values<any>(service.toJSON()['Resources']).map(({ Type }) => Type);
  const ofNetworks = made.filter((type) => type.startsWith('AWS::EC2::') && !/SecurityGroup/.test(type));
  assert.deepEqual(ofNetworks, []);
  const [[, balancer]] = resourcesOf(service, 'AWS::ElasticLoadBalancingV2::LoadBalancer') as any;
  const subnets = balancer.Properties.SubnetMappings.map(({ SubnetId }: any) => SubnetId);
  assert.deepEqual(subnets, ['subnet-0a1b2c3d', 'subnet-1a1b2c3d']);
  const [[, tasks]] = resourcesOf(service, 'AWS::ECS::Service') as any;
  assert.deepEqual(tasks.Properties.NetworkConfiguration.AwsvpcConfiguration.Subnets, subnets);
  const inVpc = stageFunctions(service).map(([id, { Properties }]) => [
    id.slice(0, 7),
    Properties.VpcConfig?.SubnetIds,
  ]);
  assert.deepEqual(
    inVpc.filter(([, ids]) => ids !== undefined),
    [['Deliver', ['subnet-2a1b2c3d', 'subnet-3a1b2c3d']]],
  );
  assert.equal(resourcesOf(data, 'AWS::EC2::EIP').length, 2, 'those of the load balancer');
  assert.match(JSON.stringify(resourcesOf(data, 'Custom::AWS')), /outbound\W+192\.0\.2\.53/);
});

test('the zones are the first two of the account, or those that were named', async () => {
  const zonesOf = async (options: Record<string, unknown>) =>
    resourcesOf((await synthesize(options)).service, 'AWS::EC2::Subnet').map(([, { Properties }]) =>
      flat(Properties.AvailabilityZone),
    );
  assert.equal(new Set(await zonesOf({})).size, 2);
  assert.deepEqual(await zonesOf({ zones: 'us-east-1b,us-east-1d' }), ['us-east-1b', 'us-east-1d']);
});

test('a share of what bounces is told also when nothing at all is delivered', async () => {
  const { service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  const { Metrics } = alarms.find(({ AlarmName }) => AlarmName === 'pillarbox-bounces-high')!;
  const [{ Expression }] = Metrics;
  // SUM of an array leaves out what is missing; a sum of two metrics is missing where one of them is.
  assert.equal(Expression, 'IF(SUM([part, rest]) > 20, 100 * part / SUM([part, rest]))');
});

test('where little mail comes, three failed runs of a job are told before it is a dead letter', async () => {
  const { service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  const { Metrics, EvaluationPeriods } = alarms.find(({ AlarmName }) => AlarmName === 'pillarbox-stage-errors-parse')!;
  const [{ Expression }] = Metrics;
  assert.equal(Expression, 'IF(whole > 20, 100 * FILL(part, 0) / whole, IF(FILL(part, 0) > 2, 100, 0))');
  const { firstSeconds } = stages.parse.backOff;
  assert.ok(EvaluationPeriods === 1 && 3 * firstSeconds < 300, 'three runs are within one period');
  assert.ok(stages.parse.maxReceives > 3);
});

test('all log groups of the service forget after logDays', async () => {
  const { service } = await synthesize();
  for (const [id, { Properties }] of resourcesOf(service, 'AWS::Logs::LogGroup'))
    assert.equal(Properties.RetentionInDays, 30, id);
});

test('mail goes out through a smarthost by default, and in mx mode from one address of its own', async () => {
  const byDefault = await synthesize();
  assert.equal(resourcesOf(byDefault.service, 'AWS::EC2::NatGateway').length, 0);
  const direct = await synthesize({ deliveryMode: 'mx', encryption: 'kms', spot: true, versioning: true });
  assert.equal(resourcesOf(direct.service, 'AWS::EC2::NatGateway').length, 1);
  const inVpc = stageFunctions(direct.service)
    .filter(([, { Properties }]) => Properties.VpcConfig)
    .map(([id]) => id);
  assert.equal(inVpc.length, 1);
  assert.match(inVpc[0]!, /^Deliver/);
});

for (const options of [
  {},
  { smarthost: 'smtp.relay.example' },
  { smarthost: 'smtp.relay.example', smarthostUser: 'app' },
  { deliveryMode: 'mx', smarthost: 'smtp.relay.example' },
  { taskMemoryMiB: 2_048 },
]) {
  test(`the first configuration is one, and fits the deployment: ${JSON.stringify(options)}`, async () => {
    const { data } = await synthesize(options);
    const [first, deployed] = resourcesOf(data, 'Custom::AWS').map(([, { Properties }]) => flat(Properties.Create));
    const { Body } = JSON.parse(first ?? '').parameters;
    const deployedWith = deployedOptionsSchema.parse(JSON.parse(JSON.parse(deployed ?? '').parameters.Body));
    const config = configSchema.parse(JSON.parse(Body));
    assert.equal(config.delivery.mode, options.deliveryMode ?? 'smarthost');
    const problems = deployedProblems(Body, config, deployedWith).map(({ at }) => at);
    const isOfSes = options.smarthost === undefined && options.deliveryMode !== 'mx';
    assert.deepEqual(problems, isOfSes ? ['delivery.smarthost.user'] : []); // the SMTP user is put in by hand
  });
}

test('the listener is told the ports that the load balancer leads to, whatever the configuration says', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  const [{ Environment }] = Properties.ContainerDefinitions;
  const told = Environment.find(({ Name }: any) => Name === 'PILLARBOX_LISTENERS');
  assert.equal(told?.Value, 'mx:2525,submission:5870,submissions:4650');
});

test('each deploy writes its options beside the configuration, and the listener is given the same', async () => {
  const { data, service } = await synthesize(mixes[1]);
  const written = resourcesOf(data, 'Custom::AWS').map(([, { Properties }]) => Properties);
  const options = written.find(({ Create }) => JSON.parse(flat(Create)).parameters.Key === 'config/options.json');
  const { Body } = JSON.parse(flat(options?.Update)).parameters;
  const [[, task]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  const [{ Environment }] = task.Properties.ContainerDefinitions;
  const { addresses, ...same } = JSON.parse(Body);
  assert.equal(Environment.find(({ Name }: any) => Name === 'PILLARBOX_OPTIONS').Value, JSON.stringify(same));
  assert.equal(addresses.mx.length, 2);
  assert.notEqual(addresses.outbound, null, 'what SPF must name, and what has a PTR');
  const { deliveryMode, rawDays, hostname } = deployedOptionsSchema.parse(JSON.parse(Body));
  assert.deepEqual([deliveryMode, rawDays, hostname], ['mx', 30, 'mx.pillarbox.example']);
});

test('a configuration that was replaced is kept for a year', async () => {
  const { data } = await synthesize();
  const [[, { Properties }]] = resourcesOf(data, 'AWS::S3::Bucket') as any;
  const rule = Properties.LifecycleConfiguration.Rules.find(({ Prefix }: any) => Prefix === 'config/history/');
  assert.equal(rule.ExpirationInDays, 365);
});

test('the listener is told what memory its task has: messages in flight take a part of it', async () => {
  const { service } = await synthesize({ taskMemoryMiB: 2_048 });
  const [[, { Properties }]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  assert.equal(Properties.Memory, '2048');
  const [{ Environment }] = Properties.ContainerDefinitions;
  assert.ok(Environment.some(({ Name, Value }: any) => Name === 'PILLARBOX_MEMORY_MIB' && Value === '2048'));
});

test('the data stack is protected from deletion, and keeps its secrets and addresses', async () => {
  const { data } = await synthesize();
  for (const type of ['AWS::SecretsManager::Secret', 'AWS::EC2::EIP']) {
    for (const [id, { DeletionPolicy }] of resourcesOf(data, type)) assert.equal(DeletionPolicy, 'Retain', id);
  }
});

function stageFunctions(service: Awaited<ReturnType<typeof synthesize>>['service']) {
  return resourcesOf(service, 'AWS::Lambda::Function').filter(([, { Properties }]) =>
    /^Pillarbox stage /.test(Properties.Description ?? ''),
  );
}

function alarmNames(service: Awaited<ReturnType<typeof synthesize>>['service']): readonly string[] {
  return resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties.AlarmName);
}

function attributesOf(list: readonly { Key: string; Value: string }[]): Record<string, string> {
  return Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]));
}

function assetOf(directory: string, s3Key: string): string {
  const folder = join(directory, `asset.${s3Key.replace(/\.zip$/, '')}`);
  assert.ok(existsSync(folder), `${folder} is not among ${readdirSync(directory).join(', ')}`);
  return folder;
}

function asUrls(variables: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, value.replaceAll(/[<>]/g, '').replaceAll('AWS::', 'aws-')]),
  );
}
