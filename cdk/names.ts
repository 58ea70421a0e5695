// The names by which the parts find each other: fixed by the service's name, so that no stack imports from another
// and the command line needs nothing but that name.
import { Aws, type Stack } from 'aws-cdk-lib';
import { deadLetterQueue, type QueueName } from '#pipeline/contract/stages.ts';
import type { Options } from './options.ts';

type Named = Pick<Options, 'serviceName'>;

/** `<service>-mail-<account>-<region>`: bucket names are unique in all the world. */
export function bucketName({ serviceName }: Named): string {
  return `${serviceName}-mail-${Aws.ACCOUNT_ID}-${Aws.REGION}`;
}

/** `<service>-<queue>` */
export function queueName({ serviceName }: Named, queue: QueueName): string {
  return `${serviceName}-${queue}`;
}

/** `<service>-<queue>-dead` */
export function deadLettersName(named: Named, queue: QueueName): string {
  return deadLetterQueue(queueName(named, queue));
}

/** What stands before the name of each secret. */
export function secretsPrefix({ serviceName }: Named): string {
  return `${serviceName}/`;
}

/** The ARN of all objects below a prefix, or of the bucket itself. */
export function bucketArn(stack: Stack, named: Named, objects?: string): string {
  const arn = `arn:${stack.partition}:s3:::${bucketName(named)}`;
  return objects === undefined ? arn : `${arn}/${objects}`;
}

/** The ARN of a queue. */
export function queueArn(stack: Stack, named: Named, queue: QueueName): string {
  return `arn:${stack.partition}:sqs:${stack.region}:${stack.account}:${queueName(named, queue)}`;
}

/** The ARN of the queue of its dead letters. */
export function deadLettersArn(stack: Stack, named: Named, queue: QueueName): string {
  return deadLetterQueue(queueArn(stack, named, queue));
}

/** `<service>-alarms`: the topic of all alarms. */
export function alarmTopicName({ serviceName }: Named): string {
  return `${serviceName}-alarms`;
}

/** Its ARN, in the account and region of whatever stack says it. */
export function alarmTopicArn(named: Named): string {
  return `arn:${Aws.PARTITION}:sns:${Aws.REGION}:${Aws.ACCOUNT_ID}:${alarmTopicName(named)}`;
}

/** The event bus that is told of mail: the account's own. */
export const eventBus = 'default';

/** Its ARN. */
export function eventBusArn(stack: Stack): string {
  return `arn:${stack.partition}:events:${stack.region}:${stack.account}:event-bus/${eventBus}`;
}

/** The URL of a queue. */
export function queueUrl(stack: Stack, named: Named, queue: QueueName): string {
  return `https://sqs.${stack.region}.${stack.urlSuffix}/${stack.account}/${queueName(named, queue)}`;
}

/** The ARN of a secret by name, or by the beginning of its name where it ends in `*`. */
export function secretArn(stack: Stack, named: Named, name: string): string {
  // Secrets Manager ends each ARN in six random characters: `-??????` stands for just those.
  const ending = name.endsWith('*') ? '' : '-??????';
  return `arn:${stack.partition}:secretsmanager:${stack.region}:${stack.account}:secret:${secretsPrefix(named)}${name}${ending}`;
}
