// S3's own notifications of mail, and the events of our own: who is told, who may tell, and what is off if nobody asked.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code, Runtime, Function as ServerlessFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import type { InboxNotification } from '#cdk/data/inbox-notifications.ts';
import { MailRule } from '#cdk/mail-rule.ts';
import { Pillarbox, type PillarboxProps } from '#cdk/pillarbox.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';
import { flat, resourcesOf, synthesize } from './synthesize.ts';

const flags = JSON.parse(readFileSync('cdk.json', 'utf8')).context;
const needed = { hostname: 'mx.pillarbox.example', domains: ['pillarbox.example'], bundles: await sharedBundles() };

test('nobody is told, at no cost, unless an option asks for it', async () => {
  const { data, service } = await synthesize();
  assert.equal(bucketOf(data).NotificationConfiguration, undefined);
  assert.equal(variablesOf(service)['PILLARBOX_EVENT_BUS'], undefined);
  assert.doesNotMatch(JSON.stringify(service.toJSON()), /events:PutEvents/);
});

test('with events: true the parser, and it alone, may put events on the account’s own bus, and does', async () => {
  const { service } = await synthesize({ events: 'true' });
  assert.equal(variablesOf(service)['PILLARBOX_EVENT_BUS'], 'default');
  const allowed = resourcesOf(service, 'AWS::IAM::Policy').filter(([, policy]) =>
    /PutEvents/.test(JSON.stringify(policy)),
  );
  assert.deepEqual(
    allowed.map(([id]) => id.replace(/[0-9A-F]{8}$/, '')),
    ['ParseRoleDefaultPolicy'],
  );
  const statements = allowed[0]![1].Properties.PolicyDocument.Statement;
  const { Resource } = statements.find(({ Action }: any) => Action === 'events:PutEvents');
  assert.match(flat(Resource), /^arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus\/default$/);
});

test('with eventBridge: true S3 tells EventBridge of every object', async () => {
  const { data } = await synthesize({ eventBridge: 'true' });
  assert.deepEqual(bucketOf(data).NotificationConfiguration, {
    EventBridgeConfiguration: { EventBridgeEnabled: true },
  });
});

test('with inboxTopic: true S3 tells a topic of the JSON in inbox/, and only our bucket may', async () => {
  const { data } = await synthesize({ inboxTopic: 'true' });
  const [[topicId, topic]] = resourcesOf(data, 'AWS::SNS::Topic') as any;
  assert.equal(topic.Properties.TopicName, 'pillarbox-inbox');
  assert.deepEqual(bucketOf(data).NotificationConfiguration.TopicConfigurations, [
    { Event: 's3:ObjectCreated:*', Filter: filter('inbox/'), Topic: { Ref: topicId } },
  ]);
  const [[policyId, policy]] = resourcesOf(data, 'AWS::SNS::TopicPolicy') as any;
  const statement = policy.Properties.PolicyDocument.Statement.find(({ Effect }: any) => Effect === 'Allow');
  assert.deepEqual(statement.Principal, { Service: 's3.amazonaws.com' });
  assert.match(
    flat(statement.Condition.ArnEquals['aws:SourceArn']),
    /:s3:::pillarbox-mail-<AWS::AccountId>-<AWS::Region>$/,
  );
  assert.deepEqual(statement.Condition.StringEquals, { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } });
  const [[, { DependsOn }]] = resourcesOf(data, 'AWS::S3::Bucket') as any;
  assert.ok(DependsOn.includes(policyId), 'S3 tries the topic when the notification is set');
});

test('in an app S3 tells a queue, a topic and a function, each of its own mail, and they may read it', () => {
  const { mail, stack } = inStack((mine) => [
    { domain: 'pillarbox.example', mailbox: 'support', to: { kind: 'queue', queue: new Queue(mine, 'Q') } },
    { domain: 'pillarbox.example', mailbox: 'sales', to: { kind: 'topic', topic: new Topic(mine, 'T') } },
    { folder: 'quarantine', to: { kind: 'function', handler: handlerIn(mine) } },
  ]);
  const handler: any = stack.node.findChild('Handler');
  mail.bucket.grantRead(handler);
  const configuration = bucketOf(Template.fromStack(mail.data)).NotificationConfiguration;
  assert.deepEqual(
    [configuration.QueueConfigurations, configuration.TopicConfigurations, configuration.LambdaConfigurations].map(
      ([{ Filter }]) => Filter,
    ),
    [filter('inbox/pillarbox.example/support/'), filter('inbox/pillarbox.example/sales/'), filter('quarantine/')],
  );
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::Lambda::Permission', {
    Principal: 's3.amazonaws.com',
    SourceAccount: { Ref: 'AWS::AccountId' },
  });
  assert.equal(resourcesOf(template, 'AWS::SQS::QueuePolicy').length, 1);
});

test('two notifications of the same mail are refused with what to do: S3 would refuse the deployment', () => {
  const overlapping = (mine: Stack): InboxNotification[] => [
    { domain: 'pillarbox.example', to: { kind: 'queue', queue: new Queue(mine, 'Q') } },
    { domain: 'pillarbox.example', mailbox: 'ann', to: { kind: 'topic', topic: new Topic(mine, 'T') } },
  ];
  assert.throws(
    () => inStack(overlapping),
    /S3 tells one target alone of an object, and inbox\/pillarbox\.example\/ann\/ lies in inbox\/pillarbox\.example\/\. Send/,
  );
});

test('a rule in an app whose Pillarbox sends no events is refused at synth; with events it alarms where the service does', () => {
  const add = (options: Partial<PillarboxProps>) => {
    const { mail, stack } = inStack(() => [], options);
    new MailRule(stack, 'Rule', { mail, mailbox: 'ann', target: { kind: 'function', handler: handlerIn(stack) } });
    return Template.fromStack(stack);
  };
  assert.throws(() => add({}), /Rule: EventBridge is not told of mail; give Pillarbox the option events: true/);
  const alarms = resourcesOf(add({ events: true }), 'AWS::CloudWatch::Alarm');
  for (const [, { Properties }] of alarms) assert.match(flat(Properties.AlarmActions[0]), /:pillarbox-alarms$/);
});

test('the stack of a rule may be the one whose queue hears of mail first', () => {
  const notify = (mine: Stack): InboxNotification[] => [
    { domain: 'pillarbox.example', to: { kind: 'queue', queue: new Queue(mine, 'Heard') } },
  ];
  const { mail, stack } = inStack(notify, { events: true });
  new MailRule(stack, 'Rule', { mail, target: { kind: 'function', handler: handlerIn(stack) } });
  App.of(stack)?.synth();
});

function inStack(notify: (stack: Stack) => InboxNotification[], options: Partial<PillarboxProps> = {}) {
  const stack = new Stack(new App({ context: flags, analyticsReporting: false }), 'Mine');
  return { stack, mail: new Pillarbox(stack, 'Mail', { ...needed, ...options, inboxNotifications: notify(stack) }) };
}

function handlerIn(stack: Stack): ServerlessFunction {
  const code = Code.fromInline('exports.handler = async () => {}');
  return new ServerlessFunction(stack, 'Handler', { runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code });
}

function filter(prefix: string) {
  const rules = [
    { Name: 'prefix', Value: prefix },
    { Name: 'suffix', Value: '.json' },
  ];
  return { S3Key: { Rules: rules } };
}

function bucketOf(template: Template): any {
  return resourcesOf(template, 'AWS::S3::Bucket')[0]![1].Properties;
}

function variablesOf(service: Template): Record<string, unknown> {
  const parse = resourcesOf(service, 'AWS::Lambda::Function').find(([id]) => id.startsWith('Parse'));
  return parse![1].Properties.Environment.Variables;
}
