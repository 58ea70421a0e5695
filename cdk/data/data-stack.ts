// Everything that must outlive a deployment: the bucket, the queues, the secrets, the public addresses, the first
// configuration file. Kept when the stack is deleted, and the stack itself is protected from it.
import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnEIP } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AwsCustomResource,
  AwsCustomResourcePolicy,
  type AwsSdkCall,
  PhysicalResourceId,
} from 'aws-cdk-lib/custom-resources';
import type { Construct } from 'constructs';
import { acknowledge, acknowledgeManagedPolicy } from '#cdk/acknowledge.ts';
import { secretsPrefix } from '#cdk/names.ts';
import { deployedOptions, type Options } from '#cdk/options.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import type { DeployedOptions } from '#pipeline/contract/deployed-options.ts';
import { configKey, deployedOptionsKey } from '#pipeline/contract/keys.ts';
import { lanesOf, type QueueName, stages } from '#pipeline/contract/stages.ts';
import { firstConfigText } from './first-config.ts';
import type { InboxNotification } from './inbox-notifications.ts';
import { MailBucket } from './mail-bucket.ts';
import { StageQueue } from './stage-queue.ts';

/** How many zones the listener stands in: each has a public address of its own. */
export const zones = 2;

export type DataStackProps = StackProps & {
  readonly options: Options;
  readonly firstConfig: ConfigInput;
  readonly notifications: readonly InboxNotification[];
};

export class DataStack extends Stack {
  readonly mail: MailBucket;
  /** The elastic addresses of the load balancer, one for each zone: what the host name's A record lists. */
  readonly addresses: readonly CfnEIP[];
  /** What other servers see mail come from, in `mx` mode from a VPC of our own: name it in SPF, and give it its PTR. */
  readonly outboundAddress: CfnEIP | null;
  private readonly queues: ReadonlyMap<QueueName, StageQueue>;

  constructor(scope: Construct, id: string, { options, firstConfig, notifications, ...props }: DataStackProps) {
    super(scope, id, { ...props, terminationProtection: true });
    this.mail = new MailBucket(this, 'Mail', { options, notifications });
    this.queues = new Map(
      Object.values(stages)
        .flatMap(lanesOf)
        .map((lane) => [lane.consumes, new StageQueue(this, `Queue-${lane.consumes}`, { stage: lane, options })]),
    );
    this.addSecrets(options);
    this.addresses = Array.from({ length: zones }, (_, index) => this.address(`Address${index + 1}`));
    this.outboundAddress =
      options.deliveryMode === 'mx' && options.vpcId === undefined ? this.address('OutboundAddress') : null;
    this.addConfig(options, firstConfigText(options, firstConfig));
    this.addOutputs(options);
  }

  private addOutputs(options: Options): void {
    new CfnOutput(this, 'Bucket', { value: this.mail.bucket.bucketName, description: 'Where all mail is' });
    if (this.mail.key !== null) {
      new CfnOutput(this, 'KeyArn', { value: this.mail.key.keyArn, description: 'Who reads mail may decrypt with it' });
    }
    if (this.mail.topic !== null) {
      new CfnOutput(this, 'InboxTopic', { value: this.mail.topic.topicArn, description: 'Told of mail in inbox/' });
    }
    const description = `A record of ${options.hostname}`;
    for (const [index, { ref: value }] of this.addresses.entries()) {
      new CfnOutput(this, `MxAddress${index + 1}`, { value, description });
    }
    if (this.outboundAddress !== null) {
      const { ref, attrAllocationId: value } = this.outboundAddress;
      new CfnOutput(this, 'OutboundAddress4', { value: ref, description: 'Where mail leaves from' });
      new CfnOutput(this, 'OutboundAllocation', { value, description: 'The same, to give it its PTR' });
    }
  }

  /** The queue that a stage reads, and its dead letters. */
  queueNamed(name: QueueName): StageQueue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new Error(`no stage reads a queue ${name}`);
    return queue;
  }

  private address(id: string): CfnEIP {
    const address = new CfnEIP(this, id, { domain: 'vpc' });
    address.applyRemovalPolicy(RemovalPolicy.RETAIN);
    return address;
  }

  /** Made with a random value each; you put the real ones in (docs/deploy.md). The SRS secret is fine as it is. */
  private addSecrets(options: Options): void {
    const wanted: Readonly<Record<string, string>> = {
      'tls-certificate': 'PEM text of the listener certificate, with its chain',
      'tls-key': 'PEM text of its private key',
      srs: 'Signs the addresses that forwarded mail bounces to',
      'smarthost-password': `Password at ${options.smarthost ?? 'the relay that mail leaves by'}`,
    };
    for (const [name, description] of Object.entries(wanted)) {
      const secret = new Secret(this, `Secret-${name}`, {
        secretName: `${secretsPrefix(options)}${name}`,
        description,
        generateSecretString: { passwordLength: 48, excludePunctuation: true },
        removalPolicy: RemovalPolicy.RETAIN,
      });
      acknowledge(secret, {
        SMG4: 'Certificates and passwords of others change when those change; there is no rotation to run here.',
      });
    }
  }

  /**
   * Written once, where there is none: afterwards the file in the bucket is yours, and no deploy touches it. What the deployment was
   * made with is written beside it by each, so that `pillarbox check --stack` sees where the two differ.
   */
  private addConfig(options: Options, json: string): void {
    this.writeObject('FirstConfig', configKey, `${json}\n`);
    this.writeObject(
      'Options',
      deployedOptionsKey,
      JSON.stringify({ ...deployedOptions(options), addresses: this.publicAddresses(options) }),
    );
    const why =
      "The library's one-off function that writes configuration and options logs under the policy AWS keeps for that.";
    acknowledgeManagedPolicy(this, 'AWSLambdaBasicExecutionRole', why);
    acknowledge(this, { L1: 'The library chooses the runtime of its one-off function.' });
  }

  private publicAddresses(options: Options): NonNullable<DeployedOptions['addresses']> {
    const outbound = options.outboundAddress ?? this.outboundAddress?.ref ?? null;
    return { mx: this.addresses.map(({ ref }) => ref), outbound };
  }

  /** `FirstConfig` is never written over. */
  private writeObject(id: 'FirstConfig' | 'Options', objectKey: string, text: string): void {
    const { bucket, key } = this.mail;
    const isFirst = id === 'FirstConfig';
    const call: AwsSdkCall = {
      service: 'S3',
      action: 'PutObject',
      parameters: { Bucket: bucket.bucketName, Key: objectKey, Body: text, ...(isFirst ? { IfNoneMatch: '*' } : {}) },
      physicalResourceId: PhysicalResourceId.of(isFirst ? 'first-config' : 'options'),
      ...(isFirst ? { ignoreErrorCodesMatching: 'PreconditionFailed' } : {}),
    };
    new AwsCustomResource(this, id, {
      onCreate: call,
      ...(isFirst ? {} : { onUpdate: call }),
      installLatestAwsSdk: false,
      policy: AwsCustomResourcePolicy.fromStatements([
        new PolicyStatement({ actions: ['s3:PutObject'], resources: [bucket.arnForObjects(objectKey)] }),
        ...(key === null ? [] : [new PolicyStatement({ actions: ['kms:GenerateDataKey'], resources: [key.keyArn] })]),
      ]),
    });
  }
}
