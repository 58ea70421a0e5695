import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseEnvironment } from '#pipeline/aws/environment.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { deployedProblems } from '#pipeline/config/deployed-problems.ts';
import { deployedOptionsSchema } from '#pipeline/contract/deployed-options.ts';
import { deployedStages, lanesOf, stages, tellingReceives } from '#pipeline/contract/stages.ts';
import { resourceFaults } from './resource-faults.ts';
import { flat, resourcesOf, synthesize, synthesizeJudged } from './synthesize.ts';

const byMx = { deliveryMode: 'mx', encryption: 'kms', spot: true, versioning: true };

test('both stacks synthesize without findings of cdk-nag or CloudFormation, by AWS’s own schema of resources', async () => {
  const { data, service } = await synthesizeJudged({});
  assert.deepEqual([...resourceFaults(data.toJSON()), ...resourceFaults(service.toJSON())], []);
});

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

test('a function may send to its own queue for as long as a job waits: Lambda does not take it for a runaway loop', async () => {
  const { service } = await synthesize();
  const functions = stageFunctions(service);
  assert.equal(functions.length, 3);
  for (const [id, { Properties }] of functions) assert.equal(Properties.RecursiveLoop, 'Allow', id);
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
  assert.deepEqual(windows, [0, 8, 8, 8], 'what comes in batches is not gathered');
  const batches = mappings.map(([, { Properties }]) => Properties.BatchSize).sort((a, b) => a - b);
  assert.deepEqual(batches, [1, 5, 10, 10], 'a message of parse holds as many jobs as an invocation may have');
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
  const { service } = await synthesize({ deployAtOnce: true });
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
    'marks/',
    'quarantine/',
    'raw/',
    'verdicts/',
  ];
  assert.deepEqual(prefixes.sort(), swept);
});

test('mail goes out through a smarthost by default, and in mx mode from one address of its own', async () => {
  const byDefault = await synthesize();
  assert.equal(resourcesOf(byDefault.service, 'AWS::EC2::NatGateway').length, 0);
  const direct = await synthesize(byMx);
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

test('each deploy prints the command that says where the stored configuration differs from its options', async () => {
  const { service } = await synthesize();
  const { NextStep } = service.toJSON().Outputs;
  assert.match(flat(NextStep.Value), /^npx pillarbox check --stack pillarbox --region \S+$/);
});

test('each deploy writes its options beside the configuration, and the listener is given the same', async () => {
  const { data, service } = await synthesize(byMx);
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
