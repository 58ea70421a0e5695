// For those who consume mail: "when a message is stored for this mailbox, run my function, send to my queue, call my webhook".
// Use it in a stack of your own beside Pillarbox's (docs/consume.md).
import { Duration } from 'aws-cdk-lib';
import {
  ApiDestination,
  Authorization,
  Connection,
  EventField,
  type EventPattern,
  HttpMethod,
  type IRuleTarget,
  Rule,
  RuleTargetInput,
} from 'aws-cdk-lib/aws-events';
import { ApiDestination as ApiDestinationTarget, LambdaFunction, SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { domainPrefix, mailboxPrefix } from '#pipeline/contract/keys.ts';
import { acknowledge } from './acknowledge.ts';

export type MailRuleProps = {
  /** The name of Pillarbox's bucket (output `Bucket` of its data stack). */
  readonly bucketName: string;
  /** The domain, in A-label form. */
  readonly domain: string;
  /** The mailbox's name before the @; left out: every mailbox of the domain. */
  readonly mailbox?: string;
  /** `quarantine`: events for mail that policy withheld, instead. */
  readonly folder?: 'inbox' | 'quarantine';
  readonly target: MailTarget;
};

/** Where events go. A webhook gets `{bucket, key}` by POST, the secret's text in the header named. */
export type MailTarget =
  | { readonly kind: 'function'; readonly handler: IFunction }
  | { readonly kind: 'queue'; readonly queue: IQueue }
  | { readonly kind: 'webhook'; readonly url: string; readonly header: string; readonly secret: ISecret };

const retryAttempts = 185;
const maxEventAge = Duration.hours(24);

/** Sends the target an event for every message that is stored; events that fail for a day are kept in `deadLetters`. */
export class MailRule extends Construct {
  readonly rule: Rule;
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, props: MailRuleProps) {
    super(scope, id);
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    acknowledge(this.deadLetters, { SQS3: 'It is the dead-letter queue itself.' });
    this.rule = new Rule(this, 'Rule', { description: describe(props), eventPattern: pattern(props) });
    this.rule.addTarget(this.target(props.target));
  }

  private target(target: MailTarget): IRuleTarget {
    const patience = { deadLetterQueue: this.deadLetters, retryAttempts, maxEventAge };
    switch (target.kind) {
      case 'function':
        return new LambdaFunction(target.handler, patience);
      case 'queue':
        return new SqsQueue(target.queue, patience);
      case 'webhook':
        return new ApiDestinationTarget(this.webhook(target), {
          ...patience,
          event: RuleTargetInput.fromObject({
            bucket: EventField.fromPath('$.detail.bucket.name'),
            key: EventField.fromPath('$.detail.object.key'),
          }),
        });
    }
  }

  private webhook({ url, header, secret }: MailTarget & { kind: 'webhook' }): ApiDestination {
    const connection = new Connection(this, 'Connection', {
      authorization: Authorization.apiKey(header, secret.secretValue),
      description: 'What the webhook knows us by',
    });
    return new ApiDestination(this, 'Webhook', {
      connection,
      endpoint: url,
      httpMethod: HttpMethod.POST,
      rateLimitPerSecond: 50,
    });
  }
}

function pattern({ bucketName, domain, mailbox, folder = 'inbox' }: MailRuleProps): EventPattern {
  const prefix =
    mailbox === undefined ? domainPrefix(folder, domain) : mailboxPrefix(folder, { domain, localPart: mailbox });
  return {
    source: ['aws.s3'],
    detailType: ['Object Created'],
    detail: { bucket: { name: [bucketName] }, object: { key: [{ prefix }] } },
  };
}

function describe({ domain, mailbox, folder = 'inbox' }: MailRuleProps): string {
  return `${folder === 'inbox' ? 'Mail' : 'Quarantined mail'} for ${mailbox ?? 'anybody'} at ${domain}`;
}
