// The listener of a deployment: tasks, load balancer, network, by its templates.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { resourceFaults } from './resource-faults.ts';
import { flat, resourcesOf, synthesize } from './synthesize.ts';

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

test('tasks call out to AWS and to DNS servers alone; mail that goes out calls anywhere', async () => {
  const allowed = { CidrIp: '0.0.0.0/0' };
  for (const mix of [
    {},
    { ipAddressType: 'dualstack', preserveClientIp: false, proxyProtocol: true },
    { deliveryMode: 'mx' },
  ]) {
    const { service } = await synthesize(mix);
    const [[, { Properties: tasks }]] = resourcesOf(service, 'AWS::ECS::Service') as any;
    const [group] = tasks.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups;
    const groups = Object.fromEntries(resourcesOf(service, 'AWS::EC2::SecurityGroup'));
    const { SecurityGroupEgress } = groups[group['Fn::GetAtt'][0]]!.Properties;
    assert.deepEqual(SecurityGroupEgress, [
      { ...allowed, Description: 'AWS', IpProtocol: 'tcp', FromPort: 443, ToPort: 443 },
      { ...allowed, Description: 'DNS', IpProtocol: 'udp', FromPort: 53, ToPort: 53 },
      { ...allowed, Description: 'DNS', IpProtocol: 'tcp', FromPort: 53, ToPort: 53 },
    ]);
    assert.deepEqual(resourcesOf(service, 'AWS::EC2::SecurityGroupEgress'), []);
    for (const [id, { Properties }] of resourcesOf(service, 'AWS::Lambda::Function') as any) {
      const used = (Properties.VpcConfig?.SecurityGroupIds ?? []).map((one: any) => groups[one['Fn::GetAtt'][0]]);
      for (const { Properties: own } of used) assert.equal(own.SecurityGroupEgress[0].IpProtocol, '-1', id);
    }
  }
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
  const told = warnings().filter((warning) => !warning.includes('is a placeholder')); // names of examples
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

test('the listener is told the ports that the load balancer leads to, whatever the configuration says', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  const [{ Environment }] = Properties.ContainerDefinitions;
  const told = Environment.find(({ Name }: any) => Name === 'PILLARBOX_LISTENERS');
  assert.equal(told?.Value, 'mx:2525,submission:5870,submissions:4650');
});

test('the listener is told what memory its task has: messages in flight take a part of it', async () => {
  const { service } = await synthesize({ taskMemoryMiB: 2_048 });
  const [[, { Properties }]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  assert.equal(Properties.Memory, '2048');
  const [{ Environment }] = Properties.ContainerDefinitions;
  assert.ok(Environment.some(({ Name, Value }: any) => Name === 'PILLARBOX_MEMORY_MIB' && Value === '2048'));
});

function stageFunctions(service: Awaited<ReturnType<typeof synthesize>>['service']) {
  return resourcesOf(service, 'AWS::Lambda::Function').filter(([, { Properties }]) =>
    /^Pillarbox stage /.test(Properties.Description ?? ''),
  );
}

function attributesOf(list: readonly { Key: string; Value: string }[]): Record<string, string> {
  return Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]));
}
