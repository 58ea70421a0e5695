// The whole service as one construct, for an app of your own: `new Pillarbox(this, 'Mail', { hostname, domains })`.
// It makes two stacks, since what must be kept outlives what runs. `cdk.json` builds the same (cdk/build-app.ts).
import { Annotations, Aws, type Environment, Stack, Tags, Validations } from 'aws-cdk-lib';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { DataStack } from '#cdk/data/data-stack.ts';
import type { InboxNotification } from '#cdk/data/inbox-notifications.ts';
import { ServiceStack } from '#cdk/service/service-stack.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { placeholderFaults } from './context-options.ts';
import { alarmTopicArn, bucketName } from './names.ts';
import { type Options, parseOptions } from './options.ts';
import { trustOwnAccountOnly } from './service-trusts.ts';

export type PillarboxProps = Partial<Omit<Options, 'domains'>> & {
  /** The name the world knows the listener by: MX record, greeting, EHLO, PTR. */
  readonly hostname: string;
  /** The domains that the first configuration file accepts mail for. */
  readonly domains: readonly string[];
  /** Settings of the first configuration file; each replaces what the options would make. No later deploy changes the file. */
  readonly firstConfig?: ConfigInput;
  /** Whom S3 itself tells of new mail, at no cost: a queue, a topic or a function of the same app. */
  readonly inboxNotifications?: readonly InboxNotification[];
  /** The account and region; if left out, those of the stack or stage around it. */
  readonly env?: Environment;
  /**
   * Where the two stacks are made: in this construct if left out. `app` takes over a deployment that cdk.json made: some
   * logical ids hold the path of a stack.
   */
  readonly stacksIn?: Construct;
  /** The folder of the bundles that run on AWS; if left out, those that came with the package. */
  readonly bundles?: string;
};

/** Throws if an option or a setting of `firstConfig` is wrong, or if two contradict each other: the message names each. */
export class Pillarbox extends Construct {
  /** What must be kept: bucket, queues, secrets, addresses. */
  readonly data: DataStack;
  /** What runs: it may be deleted and made again without losing a message. */
  readonly service: ServiceStack;
  /** The bucket's name, for `MailRule`. */
  readonly bucketName: string;
  /** The bucket, to grant your functions what they read. */
  readonly bucket: IBucket;
  /** Where the service's alarms go: subscribe to it. */
  readonly alarmTopic: ITopic;
  /** Its ARN made of names, so that a stack that the service needs may send alarms there too. */
  readonly alarmTopicArn: string;
  /** Whether EventBridge is told of mail (option `events`). */
  readonly announces: boolean;

  constructor(scope: Construct, id: string, props: PillarboxProps) {
    super(scope, id);
    const around = this.node.scopes.findLast((scope) => Stack.isStack(scope));
    const { firstConfig = {}, env = around && placeOf(around), stacksIn = this, bundles, ...more } = props;
    const { inboxNotifications: notifications = [], ...given } = more;
    const options = parseOptions(given);
    const common = (part: string, what: string) => ({
      options,
      stackName: `${options.serviceName}-${part}`,
      description: `Pillarbox ${options.serviceName}: ${what}`,
      ...(env === undefined ? {} : { env }),
    });
    const dataProps = { ...common('data', 'what must be kept'), firstConfig, notifications };
    this.data = new DataStack(stacksIn, dataProps.stackName, dataProps);
    const serviceProps = { ...common('service', 'what runs'), data: this.data, bundles };
    this.service = new ServiceStack(stacksIn, serviceProps.stackName, serviceProps);
    this.service.addStackDependency(this.data);
    // cdk.json refuses them; an app may be a trial.
    for (const fault of placeholderFaults(given))
      Annotations.of(this.service).addWarningV2('pillarbox:placeholder', fault);
    for (const { name, password } of firstConfig.users ?? []) {
      if (password.startsWith('scrypt:'))
        Annotations.of(this.data).addWarningV2(`pillarbox:hash-of-${name}`, hashInTemplate(name, options.serviceName));
    }
    for (const stack of [this.data, this.service]) {
      Tags.of(stack).add('service', options.serviceName);
      trustOwnAccountOnly(stack);
    }
    if (around !== undefined) allowEmpty(around);
    this.bucketName = bucketName(options);
    // By its name, so that a stack that reads mail may also be one that the bucket's notifications need first.
    const { key } = this.data.mail;
    this.bucket = Bucket.fromBucketAttributes(this.data, 'MailByName', {
      bucketName: this.bucketName,
      bucketArn: `arn:${Aws.PARTITION}:s3:::${this.bucketName}`,
      ...(key === null ? {} : { encryptionKey: key }),
    });
    this.alarmTopic = this.service.alarmTopic;
    this.alarmTopicArn = alarmTopicArn(options);
    this.announces = options.events;
  }
}

function hashInTemplate(name: string, serviceName: string): string {
  const mend = `deploy without, then: pillarbox user add ${name} --stack ${serviceName}`;
  return `firstConfig.users: the password hash of ${name} would stand in the template, which all who may see the stack can read; ${mend}`;
}

/** A stack in a stack does not take over its account and region by itself; in a stage it does. */
function placeOf({ account, region }: Stack): Environment {
  return { account, region };
}

function allowEmpty(stack: Stack): void {
  const reason = 'A stack that holds Pillarbox alone has no resources of its own: `cdk deploy` passes over it.';
  Validations.of(stack).acknowledge({ id: 'CloudFormation-Validate::F0001', reason });
}
