// The queue of one stage and its dead-letter queue: encrypted, TLS only, kept when the stack goes.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from '#cdk/acknowledge.ts';
import { deadLettersName, queueName } from '#cdk/names.ts';
import type { Options } from '#cdk/options.ts';
import { receivesBeforeDead, type Stage, visibilitySeconds } from '#pipeline/contract/stages.ts';

const longest = Duration.days(14);
/** A job as large as SQS takes: what pipeline/aws/sqs-sender.ts counts with. */
const mostBytes = 1_048_576;

export class StageQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, { stage, options }: { readonly stage: Stage; readonly options: Options }) {
    super(scope, id);
    const common = {
      retentionPeriod: longest,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
    };
    this.deadLetters = new Queue(this, 'DeadLetters', {
      ...common,
      queueName: deadLettersName(options, stage.consumes),
    });
    this.queue = new Queue(this, 'Queue', {
      ...common,
      queueName: queueName(options, stage.consumes),
      maxMessageSizeBytes: mostBytes,
      visibilityTimeout: Duration.seconds(visibilitySeconds(stage, options.batchWindowSeconds)),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: receivesBeforeDead(stage) },
    });
    acknowledge(this.deadLetters, { SQS3: 'It is the dead-letter queue itself.' });
  }
}
