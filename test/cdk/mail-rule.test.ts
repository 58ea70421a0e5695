// Who is told of mail by EventBridge, and that an event whose consumer fails is kept and told of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { App, Duration, Stack, Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Code, Runtime, Function as ServerlessFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { MailRule, type MailRuleProps, type MailTarget } from '#cdk/mail-rule.ts';
import { resourcesOf } from './synthesize.ts';

const toFunction =
  (more: object = {}, batchSize?: number) =>
  (stack: Stack): MailTarget => ({
    kind: 'function',
    handler: handler(stack, more),
    ...(batchSize === undefined ? {} : { batchSize }),
  });
const toQueue = (stack: Stack): MailTarget => ({ kind: 'queue', queue: new Queue(stack, 'Mine') });

test('a rule goes by Pillarbox’s own event, of this bucket and this mail alone', () => {
  const template = rule(toQueue, {
    domain: 'Example.org',
    mailbox: ['support', 'sales'],
    from: '*@Partner.example',
    subject: 'Invoice**\\*',
    verdict: 'pass',
    hasAttachment: true,
    attachmentName: '*.pdf',
  });
  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: {
      source: ['pillarbox'],
      'detail-type': ['Mail stored'],
      detail: {
        bucket: ['the-bucket'],
        folder: ['inbox'],
        domain: ['example.org'],
        mailbox: ['support', 'sales'],
        from: [{ wildcard: '*@partner.example' }],
        subject: [{ wildcard: 'Invoice*\\\\*' }],
        dmarc: ['pass'],
        hasAttachment: [true],
        attachmentNames: [{ wildcard: '*.pdf' }],
      },
    },
    Targets: [Match.objectLike({ DeadLetterConfig: Match.anyValue(), RetryPolicy: { MaximumRetryAttempts: 185 } })],
  });
});

test('a function that throws gets the event again for a day: a queue lies before it, which keeps what was given up for 14', () => {
  const template = rule(toFunction({ timeout: Duration.seconds(30) }));
  const queues = resourcesOf(template, 'AWS::SQS::Queue');
  const [[deadId] = ['']] = queues.filter(([, { Properties }]) => Properties.RedrivePolicy === undefined);
  const [[queueId, { Properties: queue }] = ['', { Properties: {} }]] = queues.filter(([id]) => id !== deadId);
  assert.equal(queue.VisibilityTimeout, 180, 'six times the timeout of the function');
  assert.deepEqual(queue.RedrivePolicy, {
    deadLetterTargetArn: { 'Fn::GetAtt': [deadId, 'Arn'] },
    maxReceiveCount: 480,
  });
  for (const [, { Properties }] of queues) assert.equal(Properties.MessageRetentionPeriod, 14 * 86_400);
  template.hasResourceProperties('AWS::Events::Rule', {
    Targets: [Match.objectLike({ Arn: { 'Fn::GetAtt': [queueId, 'Arn'] } })],
  });
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: { 'Fn::GetAtt': [queueId, 'Arn'] },
    BatchSize: 1,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  });
  assert.equal(resourcesOf(template, 'AWS::Lambda::Permission').length, 0, 'EventBridge does not call it itself');
});

test('alarms tell of events that wait and of events that were given up', () => {
  const template = rule(toFunction(), { alarmed: true });
  const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  assert.deepEqual(
    alarms.map(({ MetricName, Threshold }) => [MetricName, Threshold]),
    [
      ['ApproximateNumberOfMessagesVisible', 1],
      ['ApproximateAgeOfOldestMessage', 120],
    ],
  );
  for (const { AlarmActions } of alarms) assert.equal(AlarmActions.length, 1);
});

test('the alarm on what waits rises before an event comes back for the second time: from the third receive on SQS leaves its age out', () => {
  for (const [seconds, threshold] of [
    [60, 360],
    [900, 900],
  ] as const) {
    rule(toFunction({ timeout: Duration.seconds(seconds) })).hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ApproximateAgeOfOldestMessage',
      Threshold: threshold,
    });
  }
});

test('a function without a timeout has Lambda’s three seconds, and is not asked more often than every two minutes', () => {
  rule(toFunction()).hasResourceProperties('AWS::SQS::Queue', { VisibilityTimeout: 120 });
});

test('one that answers for each record may get several', () => {
  rule(toFunction({}, 10)).hasResourceProperties('AWS::Lambda::EventSourceMapping', { BatchSize: 10 });
});

test('cdk-nag finds nothing that is not acknowledged', () => {
  const app = new App();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new Stack(app, 'consumer');
  const queue = new Queue(stack, 'Mine', {
    enforceSSL: true,
    deadLetterQueue: { queue: deadOf(stack), maxReceiveCount: 3 },
  });
  new MailRule(stack, 'Rule', { mail: 'the-bucket', target: { kind: 'queue', queue } });
  app.synth();
});

function deadOf(stack: Stack): Queue {
  const dead = new Queue(stack, 'Dead', { enforceSSL: true });
  Validations.of(dead).acknowledge({ id: 'AwsSolutions-SQS3', reason: 'It is the dead-letter queue itself.' });
  return dead;
}

function handler(stack: Stack, more: object): ServerlessFunction {
  const code = Code.fromInline('exports.handler = async () => {}');
  return new ServerlessFunction(stack, 'Handler', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code,
    ...more,
  });
}

function rule(
  target: (stack: Stack) => MailTarget,
  { alarmed = false, ...match }: Omit<Partial<MailRuleProps>, 'mail' | 'target'> & { alarmed?: boolean } = {},
): Template {
  const stack = new Stack(new App(), 'consumer');
  const topics = alarmed ? { alarmTopic: new Topic(stack, 'Alarms') } : {};
  new MailRule(stack, 'Rule', { mail: 'the-bucket', ...match, ...topics, target: target(stack) });
  return Template.fromStack(stack);
}
