// S3's own notifications of new mail, which cost nothing: to a queue, a topic or a function. Set on the bucket's own resource: the
// library would add a function that may change every bucket.
import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { CfnBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { IDependable } from 'constructs';
import { domainPrefix, mailboxPrefix } from '#pipeline/contract/keys.ts';

/** Mail of which folder (`inbox` if left out), domain (any) and mailbox of it (any) S3 tells whom of. */
export type InboxNotification = {
  readonly folder?: 'inbox' | 'quarantine';
  /** In A-label form. */
  readonly domain?: string;
  /** The name before the @; needs `domain`. */
  readonly mailbox?: string;
  readonly to:
    | { readonly kind: 'queue'; readonly queue: IQueue }
    | { readonly kind: 'topic'; readonly topic: ITopic }
    | { readonly kind: 'function'; readonly handler: IFunction };
};

/**
 * Sets the bucket's notifications, and lets S3 reach the targets; a target that another app owns has to allow it there. Throws if
 * two begin with the same keys: S3 takes no two notifications of one object.
 */
export function notifyOfMail(
  bucket: CfnBucket,
  bucketArn: string,
  { told, eventBridge }: { readonly told: readonly InboxNotification[]; readonly eventBridge: boolean },
): void {
  refuseOverlaps(told.map(prefixOf));
  const queues: CfnBucket.QueueConfigurationProperty[] = [];
  const topics: CfnBucket.TopicConfigurationProperty[] = [];
  const functions: CfnBucket.LambdaConfigurationProperty[] = [];
  for (const [n, one] of told.entries()) {
    const rules = [
      { name: 'prefix', value: prefixOf(one) },
      { name: 'suffix', value: '.json' },
    ];
    const common = { event: 's3:ObjectCreated:*', filter: { s3Key: { rules } } };
    const allowed = allow(bucketArn, one, n);
    if (allowed !== undefined) bucket.node.addDependency(allowed);
    switch (one.to.kind) {
      case 'queue':
        queues.push({ ...common, queue: one.to.queue.queueArn });
        break;
      case 'topic':
        topics.push({ ...common, topic: one.to.topic.topicArn });
        break;
      case 'function':
        functions.push({ ...common, function: one.to.handler.functionArn });
    }
  }
  if (told.length === 0 && !eventBridge) return;
  bucket.notificationConfiguration = {
    ...(eventBridge ? { eventBridgeConfiguration: { eventBridgeEnabled: true } } : {}),
    ...(queues.length === 0 ? {} : { queueConfigurations: queues }),
    ...(topics.length === 0 ? {} : { topicConfigurations: topics }),
    ...(functions.length === 0 ? {} : { lambdaConfigurations: functions }),
  };
}

/** S3 tries the target when the notification is set, so what is answered has to exist before. */
function allow(bucketArn: string, { to }: InboxNotification, n: number): IDependable | undefined {
  const statement = (action: string, resource: string): PolicyStatement =>
    new PolicyStatement({
      principals: [new ServicePrincipal('s3.amazonaws.com')],
      actions: [action],
      resources: [resource],
      conditions: {
        ArnEquals: { 'aws:SourceArn': bucketArn },
        StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
      },
    });
  switch (to.kind) {
    case 'queue':
      return to.queue.addToResourcePolicy(statement('sqs:SendMessage', to.queue.queueArn)).policyDependable;
    case 'topic':
      return to.topic.addToResourcePolicy(statement('sns:Publish', to.topic.topicArn)).policyDependable;
    case 'function': {
      const id = `PillarboxBucket${n + 1}`;
      to.handler.addPermission(id, {
        principal: new ServicePrincipal('s3.amazonaws.com'),
        sourceArn: bucketArn,
        sourceAccount: Aws.ACCOUNT_ID,
      });
      return to.handler.permissionsNode.tryFindChild(id);
    }
  }
}

function prefixOf({ folder = 'inbox', domain, mailbox }: InboxNotification): string {
  if (domain === undefined && mailbox !== undefined) {
    throw new Error(`inboxNotifications: mailbox ${mailbox} needs the domain that it is of`);
  }
  if (domain === undefined) return `${folder}/`;
  return mailbox === undefined ? domainPrefix(folder, domain) : mailboxPrefix(folder, { domain, localPart: mailbox });
}

function refuseOverlaps(prefixes: readonly string[]): void {
  for (const [n, prefix] of prefixes.entries()) {
    const other = prefixes.find((one, at) => at !== n && one.startsWith(prefix));
    if (other === undefined) continue;
    throw new Error(
      `inboxNotifications: S3 tells one target alone of an object, and ${other} lies in ${prefix}. Send ${prefix} to a topic (inboxTopic), and let it tell both.`,
    );
  }
}
