// For those who consume mail: "when a message is stored for this mailbox, run my function, send to my queue". It goes by the
// event that Pillarbox sends to EventBridge for each message and mailbox (option `events`). Use it in a stack of your own
// beside Pillarbox's, or in the app that holds it (docs/consume.md).
import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { type EventPattern, type IRuleTarget, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Function as AnyFunction, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { mailEventSource, mailEventType } from '#pipeline/contract/mail-event.ts';
import { type MailMatch, wantedOf } from '#pipeline/contract/mail-match.ts';
import { acknowledge } from './acknowledge.ts';
import type { Pillarbox } from './pillarbox.ts';

/** Which mail, in the words of `hooks` in the configuration; and who is told of it. */
export type MailRuleProps = MailMatch & {
  /** The name of Pillarbox's bucket (output `Bucket` of its data stack), or the construct if it is in this app. */
  readonly mail: string | Pillarbox;
  readonly target: MailTarget;
  /** Who hears of events that wait or are given up; the service's own topic if `mail` is the construct. */
  readonly alarmTopic?: ITopic;
};

/**
 * Where events go. A function gets them by a queue, in an SQSEvent of one record: if it throws, the event comes back after
 * six times its timeout, for a day. `batchSize`: more records at once, for a function that answers `batchItemFailures`. For a
 * webhook there are `hooks` in the configuration.
 */
export type MailTarget =
  | { readonly kind: 'function'; readonly handler: IFunction; readonly batchSize?: number }
  | { readonly kind: 'queue'; readonly queue: IQueue };

const daySeconds = 86_400;
const retryAttempts = 185;
/** Lambda's longest: of a function that this app does not own the timeout is not known. */
const longestTimeoutSeconds = 900;
const defaultTimeoutSeconds = 3;
/** A function that fails at once is not asked more often. */
const leastVisibilitySeconds = 120;
const mostReceives = 1_000;
/** When an event has waited too long; sooner if it comes back sooner: from the third receive on SQS's age of the oldest leaves it out. */
const mostWaitSeconds = 900;
/** EventBridge waits so long with an event that a queue does not take. */
const maxEventAge = Duration.days(1);

const kept = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod: Duration.days(14) };

/** Tells the target of every message that is stored and fits. Events that failed for a day are kept in `deadLetters` for 14. */
export class MailRule extends Construct {
  readonly rule: Rule;
  readonly deadLetters: Queue;
  /** The queue between the rule and the function; null for other targets. */
  events: Queue | null = null;
  readonly alarms: Alarm[] = [];
  private waitsTooLongSeconds = mostWaitSeconds;

  constructor(scope: Construct, id: string, { mail, target, alarmTopic, ...match }: MailRuleProps) {
    super(scope, id);
    if (typeof mail !== 'string' && !mail.announces) {
      throw new Error(`${this.node.path}: EventBridge is not told of mail; give Pillarbox the option events: true`);
    }
    this.deadLetters = new Queue(this, 'DeadLetters', kept);
    acknowledge(this.deadLetters, { SQS3: 'It is the dead-letter queue itself.' });
    const bucketName = typeof mail === 'string' ? mail : mail.bucketName;
    this.rule = new Rule(this, 'Rule', {
      description: 'Mail stored by Pillarbox',
      eventPattern: patternOf(bucketName, match),
    });
    this.rule.addTarget(this.targetFor(target));
    const ofService = () =>
      typeof mail === 'string' ? undefined : Topic.fromTopicArn(this, 'ServiceAlarms', mail.alarmTopicArn);
    this.addAlarms(alarmTopic ?? ofService());
  }

  private queueFor({ handler, batchSize = 1 }: MailTarget & { kind: 'function' }): Queue {
    const visibility = Math.max(leastVisibilitySeconds, 6 * timeoutSeconds(handler));
    this.waitsTooLongSeconds = Math.min(mostWaitSeconds, visibility);
    const queue = new Queue(this, 'Events', {
      ...kept,
      visibilityTimeout: Duration.seconds(visibility),
      deadLetterQueue: {
        queue: this.deadLetters,
        maxReceiveCount: Math.min(mostReceives, Math.ceil(daySeconds / visibility)),
      },
    });
    handler.addEventSource(new SqsEventSource(queue, { batchSize, reportBatchItemFailures: true }));
    this.events = queue;
    return queue;
  }

  private targetFor(target: MailTarget): IRuleTarget {
    const patience = { deadLetterQueue: this.deadLetters, retryAttempts, maxEventAge };
    return new SqsQueue(target.kind === 'queue' ? target.queue : this.queueFor(target), patience);
  }

  private addAlarms(topic: ITopic | undefined): void {
    const period = Duration.minutes(5);
    this.addAlarm('GivenUp', topic, {
      meaning: 'Events of mail were given up after a day; they wait in the dead-letter queue for 14 days.',
      metric: this.deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period }),
      threshold: 1,
    });
    if (this.events === null) return;
    this.addAlarm('Waiting', topic, {
      meaning: 'The function that is told of mail fails, or is too slow: an event came back, or waits too long.',
      metric: this.events.metricApproximateAgeOfOldestMessage({ statistic: 'Maximum', period }),
      threshold: this.waitsTooLongSeconds,
    });
  }

  private addAlarm(
    id: string,
    topic: ITopic | undefined,
    { meaning, metric, threshold }: { readonly meaning: string; readonly metric: IMetric; readonly threshold: number },
  ): void {
    const alarm = new Alarm(this, id, {
      alarmDescription: `${meaning} What to do: docs/consume.md#when-a-consumer-fails`,
      metric,
      threshold,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    if (topic !== undefined) alarm.addAlarmAction(new SnsAction(topic));
    this.alarms.push(alarm);
  }
}

function timeoutSeconds(handler: IFunction): number {
  if (!(handler instanceof AnyFunction)) return longestTimeoutSeconds;
  return handler.timeout?.toSeconds() ?? defaultTimeoutSeconds;
}

function patternOf(bucketName: string, match: MailMatch): EventPattern {
  const { folder = 'inbox', hasAttachment } = match;
  const wanted = wantedOf(match).map(({ field, patterns }) => [field, patterns.map(comparison)]);
  return {
    source: [mailEventSource],
    detailType: [mailEventType],
    detail: {
      bucket: [bucketName],
      folder: [folder],
      ...(hasAttachment === undefined ? {} : { hasAttachment: [hasAttachment] }),
      ...Object.fromEntries(wanted),
    },
  };
}

/** EventBridge has no two stars in a row, and takes a backslash for itself before a star or another one. */
function comparison(text: string): string | { readonly wildcard: string } {
  if (!text.includes('*')) return text;
  return { wildcard: text.replaceAll('\\', '\\\\').replaceAll(/\*+/g, '*') };
}
