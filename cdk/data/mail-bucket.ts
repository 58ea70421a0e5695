// The one bucket: TLS only, never public, write-once where a message must stay as it was, swept by prefix.
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  CfnBucket,
  type LifecycleRule,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { acknowledge } from '#cdk/acknowledge.ts';
import { bucketArn, bucketName } from '#cdk/names.ts';
import type { Options } from '#cdk/options.ts';
import { configHistoryPrefix, type KeyPrefix } from '#pipeline/contract/keys.ts';
import { configHistoryDays, daysKept, defaultExpireSeconds } from '#pipeline/contract/retention.ts';
import { type InboxNotification, notifyOfMail } from './inbox-notifications.ts';

/** Prefixes whose objects are never written twice: a write must say `If-None-Match: *`. */
const writeOnce: readonly KeyPrefix[] = ['raw/', 'verdicts/', 'inbox/', 'quarantine/'];

export type MailBucketProps = { readonly options: Options; readonly notifications: readonly InboxNotification[] };

/** The bucket, and its key where `encryption` is `kms`. */
export class MailBucket extends Construct {
  readonly bucket: Bucket;
  readonly key: Key | null;
  readonly topic: Topic | null;

  constructor(scope: Construct, id: string, { options, notifications }: MailBucketProps) {
    super(scope, id);
    this.key =
      options.encryption === 'kms'
        ? new Key(this, 'Key', {
            enableKeyRotation: true,
            removalPolicy: RemovalPolicy.RETAIN,
            description: 'Mail at rest',
          })
        : null;
    this.bucket = new Bucket(this, 'Bucket', {
      bucketName: bucketName(options),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: options.versioning,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [...lifecycle(options)],
      ...(this.key === null
        ? { encryption: BucketEncryption.S3_MANAGED }
        : { encryption: BucketEncryption.KMS, encryptionKey: this.key, bucketKeyEnabled: true }),
    });
    this.topic = this.addTopic(options);
    const toTopic = this.topic === null ? [] : [{ to: { kind: 'topic', topic: this.topic } } as const];
    notifyOfMail(this.resource, bucketArn(Stack.of(this), options), {
      told: [...toTopic, ...notifications],
      eventBridge: options.eventBridge,
    });
    this.denyOverwriting();
    acknowledge(this.bucket, {
      S1: 'Access logs would cost a write for every request; CloudTrail data events can be switched on where they are wanted.',
    });
  }

  /** The topic that S3 tells of mail in `inbox/`, if `inboxTopic` asks for one. */
  private addTopic({ inboxTopic, serviceName }: Options): Topic | null {
    if (!inboxTopic) return null;
    return new Topic(this, 'InboxTopic', { topicName: `${serviceName}-inbox`, enforceSSL: true });
  }

  private get resource(): CfnBucket {
    const resource = this.bucket.node.defaultChild;
    if (!(resource instanceof CfnBucket)) throw new Error('the bucket has no resource of its own');
    return resource;
  }

  private denyOverwriting(): void {
    this.bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'WriteOnce',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:PutObject'],
        resources: writeOnce.map((prefix) => this.bucket.arnForObjects(`${prefix}*`)),
        conditions: {
          Null: { 's3:if-none-match': 'true' },
          // Parts of a multipart upload create no object: the completing request must carry the condition.
          Bool: { 's3:ObjectCreationOperation': 'true' },
        },
      }),
    );
  }
}

function lifecycle(options: Options): readonly LifecycleRule[] {
  const kept = { ...daysKept(options, defaultExpireSeconds), [configHistoryPrefix]: configHistoryDays };
  const sweeps = Object.entries(kept).map(([prefix, days]) => ({
    id: `expire-${prefix.slice(0, -1).replaceAll('/', '-')}`,
    prefix,
    expiration: Duration.days(days),
    ...(options.versioning ? { noncurrentVersionExpiration: Duration.days(days) } : {}),
  }));
  return [...sweeps, { id: 'abort-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) }];
}
