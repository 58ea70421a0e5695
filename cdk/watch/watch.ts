// The alarms of a deployment, one line each: what rises, from where on, and which runbook entry says what to do.
import { Duration } from 'aws-cdk-lib';
import { MathExpression, type Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { DataStack } from '#cdk/data/data-stack.ts';
import type { Options } from '#cdk/options.ts';
import type { LoadBalancer } from '#cdk/service/load-balancer.ts';
import { deployedStages, lanesOf, type Stage, type StageName, stages } from '#pipeline/contract/stages.ts';
import { Alarms } from './alarms.ts';
import { percent, serviceMetric, share } from './service-metrics.ts';

export type Watched = { readonly options: Options; readonly data: DataStack; readonly balancer: LoadBalancer };

/** `exporter`: the function that carries the certificate, if there is one. */
export type Running = {
  readonly handlers: ReadonlyMap<StageName, IFunction>;
  readonly exporter: IFunction | null;
};

/** Adds every alarm of the service. */
export function watch(scope: Construct, watched: Watched & Running): Alarms {
  const alarms = new Alarms(scope, 'Alarms', watched.options);
  for (const lane of deployedStages(watched.options).flatMap(lanesOf)) watchLane(alarms, lane, watched);
  watchListener(alarms, watched);
  watchDelivery(alarms, watched.options);
  watchFunctions(alarms, watched);
  if (watched.options.hooks) watchHooks(alarms, watched.options);
  return alarms;
}

/** A queue that a stage reads; a slow lane's alarms are named for its queue. */
function watchLane(alarms: Alarms, stage: Stage, { options, data }: Watched): void {
  const { queue, deadLetters } = data.queueNamed(stage.consumes);
  const isSlowLane = stages[stage.name].consumes !== stage.consumes;
  const of = isSlowLane ? stage.consumes : stage.name;
  const what = isSlowLane ? `${stage.name}'s slow lane` : `stage ${stage.name}`;
  const period = Duration.minutes(5);
  const jobs = (outcome: string, each: Duration) =>
    serviceMetric(options, {
      stage: stage.name,
      name: 'jobs',
      labels: { queue: stage.consumes, outcome },
      period: each,
    });
  alarms.add({
    runbook: 'dead-letters',
    of,
    meaning: `Jobs of ${what} were given up and wait in its dead-letter queue.`,
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period }),
    threshold: 1,
  });
  // A job that waits for its time is as old as its wait: at most 900 s (one hop) if it waits for its next attempt. And SQS counts a
  // job that is being run, and all of its batch, until the run is over, which may take all its time if it waits for a host.
  const oldSeconds = stage.hasAttempts ? 900 + stage.timeoutSeconds + 300 : 300;
  alarms.add({
    runbook: isSlowLane ? 'slow-lane' : 'queue-age',
    of,
    meaning: `The oldest job of ${what} has waited for more than ${oldSeconds / 60} minutes.`,
    metric: queue.metricApproximateAgeOfOldestMessage({ statistic: 'Maximum', period }),
    threshold: oldSeconds,
    periods: 2,
  });
  const received = queue.metricNumberOfMessagesReceived({ statistic: 'Sum', period });
  alarms.add({
    runbook: 'stage-errors',
    of,
    meaning: `More than one in twenty jobs of ${what} fail; where there are few, three runs of them.`,
    metric: percent(jobs('failed', period), received, 'failed, %'),
    threshold: 5,
  });
  // These jobs wait until their messages expire, so no other alarm would rise: they are neither dead letters nor failures.
  alarms.add({
    runbook: 'own-fault',
    of,
    meaning: `Jobs of ${what} wait for something of ours to be mended: a secret, the configuration, the relay's account, S3, SQS, the DNS.`,
    metric: jobs('waits', Duration.minutes(15)), // while the fault lasts each job is tried at least once in that time
    threshold: 1,
  });
}

function watchListener(alarms: Alarms, { options, balancer }: Watched): void {
  if (options.noMailHours > 0) {
    alarms.add({
      runbook: 'no-mail',
      meaning: `No mail has come for ${options.noMailHours} hours.`,
      metric: serviceMetric(options, {
        stage: 'listener',
        name: 'messages-accepted',
        labels: { role: 'mx' },
        period: Duration.hours(options.noMailHours),
      }),
      threshold: 1,
      when: 'below',
      silence: 'alarming',
    });
  }
  const [mx] = balancer.targets;
  if (mx === undefined) throw new Error('the load balancer has no targets');
  alarms.add({
    runbook: 'listener-unhealthy',
    meaning: 'The load balancer finds a listener task unhealthy.',
    // Not "fewer healthy than": of healthy hosts each zone counts its own, or all of them.
    metric: mx.metrics.unHealthyHostCount({ statistic: 'Maximum', period: Duration.minutes(1) }),
    threshold: 1,
    periods: 5,
  });
  alarms.add({
    runbook: 'listener-unhealthy',
    of: 'tasks',
    meaning: `Fewer than ${options.tasks} listener tasks are running.`,
    metric: serviceMetric(options, { stage: 'listener', name: 'connections-open', statistic: 'SampleCount' }),
    threshold: (options.tasks - 0.5) * 5, // each task writes it once a minute, five times in a period
    when: 'below',
    periods: 2,
    silence: 'alarming',
  });
  alarms.add({
    runbook: 'store-failing',
    meaning: 'The listener cannot store mail, or a fault of ours refuses it: senders are told 451 and come again.',
    metric: serviceMetric(options, { stage: 'listener', name: 'store-failures' }),
    threshold: 1,
  });
  alarms.add({
    runbook: 'config-broken',
    meaning: 'The newest configuration cannot be used, or says something that the deployment does not do.',
    metric: serviceMetric(options, { stage: 'listener', name: 'config-problems' }),
    threshold: 1,
  });
  alarms.add({
    runbook: 'authentication-attack',
    meaning: 'Somebody is guessing passwords.',
    metric: serviceMetric(options, { stage: 'listener', name: 'authentication-failures' }),
    threshold: 100,
  });
  alarms.add({
    runbook: 'certificate-expiring',
    meaning: "The listener's certificate ends within 14 days.",
    metric: serviceMetric(options, {
      stage: 'listener',
      name: 'certificate-days-left',
      statistic: 'Minimum',
      period: Duration.hours(1),
    }),
    threshold: 14,
    when: 'below',
  });
}

function watchDelivery(alarms: Alarms, options: Options): void {
  const ended = (outcome: string) =>
    serviceMetric(options, { stage: 'deliver', name: 'deliveries', labels: { outcome }, period: Duration.hours(1) });
  alarms.add({
    runbook: 'port-25-blocked',
    meaning: 'Connections to port 25 of unrelated hosts all time out: the network lets no mail out.',
    metric: serviceMetric(options, { stage: 'deliver', name: 'port-25-blocked' }),
    threshold: 1,
  });
  alarms.add({
    runbook: 'bounces-high',
    meaning: 'More than one in ten deliveries bounce.',
    metric: share(ended('bounced'), ended('delivered'), 'bounced, %'),
    threshold: 10,
  });
}

/** A hook that fails is tried for a day before its jobs are dead letters; jobs that wait for it are neither failures nor old. */
function watchHooks(alarms: Alarms, options: Options): void {
  alarms.add({
    runbook: 'hook-failing',
    meaning: 'A hook has failed for twenty minutes and more.',
    metric: serviceMetric(options, {
      stage: 'notify',
      name: 'hooks-failing',
      period: Duration.minutes(75), // while it fails each message is tried at least once in that time
    }),
    threshold: 1,
  });
}

/**
 * What a function cannot say of itself. Jobs that fail are answered one by one and are no error of it: an error is a run that threw, ran
 * into its time or out of memory, and its jobs come back only after the visibility timeout.
 */
function watchFunctions(alarms: Alarms, { handlers, exporter }: Running): void {
  alarms.add({
    runbook: 'function-errors',
    meaning: 'Functions end in the middle of a run: a timeout, too little memory, a bundle that cannot start.',
    metric: sumOf(handlers, (handler) => handler.metricErrors({ period: Duration.minutes(5) }), 'errors'),
    threshold: 1,
  });
  alarms.add({
    runbook: 'function-throttles',
    meaning: 'Lambda does not run the functions as often as there are jobs: the account’s concurrency is used up.',
    metric: sumOf(handlers, (handler) => handler.metricThrottles({ period: Duration.minutes(5) }), 'throttles'),
    threshold: 1,
    periods: 2,
  });
  if (exporter === null) return;
  alarms.add({
    runbook: 'certificate-not-exported',
    meaning: 'The renewed certificate could not be carried into the secrets of the listener.',
    metric: exporter.metricErrors({ period: Duration.hours(1) }),
    threshold: 1,
  });
}

function sumOf(handlers: Running['handlers'], metricOf: (handler: IFunction) => Metric, label: string): MathExpression {
  const usingMetrics = Object.fromEntries([...handlers].map(([name, handler]) => [name, metricOf(handler)]));
  const expression = `SUM([${Object.keys(usingMetrics).join(', ')}])`; // a metric without data is left out of a SUM
  return new MathExpression({ expression, usingMetrics, label, period: Duration.minutes(5) });
}
