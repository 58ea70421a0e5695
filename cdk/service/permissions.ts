// What a role may do, said by the table of stages and nothing more: no grant of the library's, whose wildcards say more.
import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { acknowledgeWildcards } from '#cdk/acknowledge.ts';
import type { MailBucket } from '#cdk/data/mail-bucket.ts';
import { bucketArn, deadLettersArn, eventBusArn, queueArn, secretArn } from '#cdk/names.ts';
import type { Options } from '#cdk/options.ts';
import type { Access, QueueName } from '#pipeline/contract/stages.ts';

const wildcardReason = 'keys and secrets have no names beforehand; it ends one prefix of the table of stages';

/** `consumes`: the queues whose jobs it takes. It moves their dead letters itself. */
export type Permitted = {
  readonly access: Access;
  readonly consumes: readonly QueueName[];
  readonly options: Options;
  readonly mail: MailBucket;
};

/** Lets a role do what the table says of its part: objects by prefix, queues to send to, secrets by name. */
export function permit(role: Role, { access, consumes, options, mail }: Permitted): void {
  const stack = Stack.of(role);
  const allow = (actions: string[], resources: string[], conditions = {}) => {
    if (resources.length === 0) return;
    role.addToPolicy(new PolicyStatement({ actions, resources, conditions }));
    acknowledgeWildcards(role, resources, wildcardReason);
  };
  const objects = (prefixes: readonly string[]) =>
    prefixes.map((prefix) => bucketArn(stack, options, prefix.endsWith('/') ? `${prefix}*` : prefix));
  allow(['s3:GetObject'], objects(access.reads));
  allow(['s3:PutObject', 's3:AbortMultipartUpload'], objects(access.writes));
  allow(['s3:DeleteObject'], objects(access.deletes));
  const { looksForAbsent } = access;
  // Where an object is asked for, S3 takes its key for the prefix of this condition (as Ceph saw, and does since ceph/ceph#68577).
  const listed = { StringLike: { 's3:prefix': [...looksForAbsent] } };
  if (looksForAbsent.length > 0) allow(['s3:ListBucket'], [bucketArn(stack, options)], listed);
  allow(
    ['sqs:SendMessage'],
    [
      ...access.sends.map((queue) => queueArn(stack, options, queue)),
      ...consumes.map((queue) => deadLettersArn(stack, options, queue)),
    ],
  );
  allow(
    ['secretsmanager:GetSecretValue'],
    access.secrets.map((name) => secretArn(stack, options, name)),
  );
  if (access.announces && options.events) allow(['events:PutEvents'], [eventBusArn(stack)]);
  if (mail.key !== null) {
    // Who completes an upload in parts decrypts, too.
    allow(access.writes.length === 0 ? ['kms:Decrypt'] : ['kms:Decrypt', 'kms:GenerateDataKey'], [mail.key.keyArn]);
  }
}
