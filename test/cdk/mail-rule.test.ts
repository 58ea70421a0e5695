import { test } from 'node:test';
import { App, SecretValue, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Code, Runtime, Function as ServerlessFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { MailRule, type MailTarget } from '#cdk/mail-rule.ts';

const targets: Record<string, (stack: Stack) => MailTarget> = {
  function: (stack) => ({
    kind: 'function',
    handler: new ServerlessFunction(stack, 'Handler', {
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromInline('exports.handler = async () => {}'),
    }),
  }),
  queue: (stack) => ({ kind: 'queue', queue: new Queue(stack, 'Mine') }),
  webhook: (stack) => ({
    kind: 'webhook',
    url: 'https://partner.example/mail',
    header: 'Authorization',
    secret: new Secret(stack, 'Token', { secretStringValue: SecretValue.unsafePlainText('x') }),
  }),
};

for (const [kind, target] of Object.entries(targets)) {
  test(`a mail rule tells a ${kind} of each message for a mailbox, patiently, and keeps what it could not tell`, () => {
    const template = rule({ mailbox: 'support', target });
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created'],
        detail: { bucket: { name: ['the-bucket'] }, object: { key: [{ prefix: 'inbox/example.org/support/' }] } },
      },
      Targets: [Match.objectLike({ DeadLetterConfig: Match.anyValue(), RetryPolicy: { MaximumRetryAttempts: 185 } })],
    });
  });
}

test('a rule without a mailbox is for all of the domain and no other domain', () => {
  const template = rule({ target: targets['queue']! });
  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: { detail: { object: { key: [{ prefix: 'inbox/example.org/' }] } } },
  });
});

function rule({ target, ...props }: { mailbox?: string; target: (stack: Stack) => MailTarget }): Template {
  const stack = new Stack(new App(), 'consumer');
  new MailRule(stack, 'Rule', { bucketName: 'the-bucket', domain: 'example.org', ...props, target: target(stack) });
  return Template.fromStack(stack);
}
