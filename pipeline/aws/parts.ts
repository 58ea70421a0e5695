// What every AWS composition root builds in the same way from its environment: ports over S3, SQS and Secrets Manager, log
// and metrics. Called by composition roots alone, once, at module scope.
import type { S3Client } from '@aws-sdk/client-s3';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Config } from '#pipeline/config/config.ts';
import { polledConfigSource, type ReportingConfigSource } from '#pipeline/config/config-source.ts';
import { deployedProblems, shownToDeployer } from '#pipeline/config/deployed-problems.ts';
import { createSecrets, secretFiles } from '#pipeline/config/secrets.ts';
import { storedHashes } from '#pipeline/config/stored-hashes.ts';
import type { DeployedOptions } from '#pipeline/contract/deployed-options.ts';
import type { KeyPrefix } from '#pipeline/contract/keys.ts';
import type { Clock, Intake, JobSender, Log, ObjectStore, Secrets } from '#pipeline/contract/ports.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import { type ConfiguredDns, configuredDns } from '#pipeline/dns/configured-dns.ts';
import { createLog } from '#pipeline/observe/log.ts';
import { isWrittenOnAws, watchedMetrics } from '#pipeline/observe/metric-names.ts';
import { createEmfMetrics, type EmfMetrics } from '#pipeline/observe/metrics.ts';
import { createAwsSecrets, createS3Client, createSqsClient } from './clients.ts';
import { createJobsUnderWay, type JobsUnderWay } from './coalescer.ts';
import { configObject, lastGoodConfig } from './config-object.ts';
import { type Environment, parseEnvironment } from './environment.ts';
import { createAwsIntake } from './intake.ts';
import { createS3Store } from './s3-store.ts';
import { createUploads } from './s3-upload.ts';
import {
  createDeadLetterMover,
  createVisibilityChanger,
  type DeadLetterMover,
  type VisibilityChanger,
} from './sqs-receiver.ts';
import { createSqsSender, type JobReturner } from './sqs-sender.ts';

/** The ports of one process on AWS. */
export type AwsParts = {
  readonly environment: Environment;
  readonly store: ObjectStore;
  readonly jobs: JobSender;
  readonly putBack: JobReturner;
  readonly underWay: JobsUnderWay;
  readonly changeVisibility: VisibilityChanger;
  readonly moveToDeadLetters: DeadLetterMover;
  readonly intake: Intake;
  readonly config: ReportingConfigSource;
  readonly secrets: Secrets;
  readonly dns: ConfiguredDns;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: EmfMetrics;
};

/**
 * `name`: the stage's, on every log line and metric. `sends`: the queues it sends to. `configSeconds`: how old the configuration
 * in force may be, unless the environment says otherwise. `keepsConfig`: it writes the copy of the last good one, and holds
 * the configuration against the options of the deployment. Throws if a variable is wrong.
 */
export function createAwsParts({
  name,
  sends,
  variables,
  write,
  configSeconds = 30,
  keepsConfig = false,
  forbiddenIsAbsent = [],
  clients = {},
}: {
  readonly name: string;
  readonly sends: readonly QueueName[];
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly write: (line: string) => void;
  readonly configSeconds?: number;
  readonly keepsConfig?: boolean;
  /** Below which prefixes a 403 is absence. */
  readonly forbiddenIsAbsent?: readonly KeyPrefix[];
  /** Clients to use in place of those that the environment asks for. */
  readonly clients?: { readonly s3?: S3Client; readonly sqs?: SQSClient };
}): AwsParts {
  const environment = parseEnvironment(variables, { queues: sends });
  const { bucket } = environment;
  const clock = () => Date.now();
  const log = createLog({ write, clock, base: { stage: name } });
  const metrics = createEmfMetrics({
    namespace: environment.metricsNamespace,
    base: { stage: name },
    watched: watchedMetrics,
    isWritten: isWrittenOnAws,
    write,
    clock,
  });
  const { s3 = createS3Client(environment), sqs = createSqsClient(environment) } = clients;
  const underWay = createJobsUnderWay();
  const jobs = createSqsSender({ sqs, queueUrls: environment.queueUrls, clock, jobsUnderWay: underWay.count });
  const config = polledConfigSource({
    ...configObject({ s3, bucket }),
    lastGood: lastGoodConfig({ s3, bucket }, { keeps: keepsConfig }),
    ...(keepsConfig && environment.options !== null ? { review: reviewAgainst(environment.options) } : {}),
    refreshSeconds: environment.configRefreshSeconds ?? configSeconds,
    clock,
    log,
  });
  const store = createS3Store({ s3, bucket, forbiddenIsAbsent });
  return {
    environment,
    store,
    jobs,
    putBack: jobs.putBack,
    underWay,
    changeVisibility: createVisibilityChanger(sqs, environment.queueUrls),
    moveToDeadLetters: createDeadLetterMover(sqs, environment.queueUrls),
    intake: createAwsIntake({ upload: createUploads({ s3, bucket }), jobs, clock }),
    config,
    secrets: createSecrets({
      named: namedSecrets(environment),
      stored: storedHashes(store),
      directory: environment.filesDirectory,
      environment: variables,
      clock,
    }),
    dns: configuredDns(config, clock, metrics),
    clock,
    log,
    metrics,
  };
}

function reviewAgainst(options: DeployedOptions) {
  return (text: string, config: Config): string | null =>
    deployedProblems(text, config, options).map(shownToDeployer).join('\n') || null;
}

function namedSecrets(environment: Environment) {
  if (environment.secretsDirectory !== null) return secretFiles(environment.secretsDirectory);
  return createAwsSecrets(environment, environment.secretsPrefix);
}
