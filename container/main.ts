// The listener as Fargate runs it: the composition root. Builds the AWS adapters from the environment, opens the ports,
// answers `/health`, and on SIGTERM finishes what is under way.

import { createCertificateSource } from '#container/tls/certificate.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { type AwsParts, createAwsParts } from '#pipeline/aws/parts.ts';
import { placeholderProblem } from '#pipeline/config/config-problems.ts';
import { suppressionLookup } from '#pipeline/contract/records/suppression-lookup.ts';
import { listenerAccess } from '#pipeline/contract/stages.ts';
import { errorFields } from '#pipeline/observe/log.ts';
import { isConfigBroken, startHealthServer } from './health-server.ts';
import { startListener } from './listener.ts';

/** Fargate ends a task 120 s after SIGTERM at the latest. */
const graceSeconds = 110;
const metricsSeconds = 60;
/** CloudWatch bills a metric for the hours in which it has values; the alarm rises at 14 days. */
const toldDays = 30;
/** A user who is taken out of the configuration is out of open sessions as soon; a task asks S3 518,400 times a month for it. */
const configSeconds = 5;

const parts = createAwsParts({
  name: 'listener',
  sends: listenerAccess.sends,
  variables: process.env,
  write: (line) => process.stdout.write(line),
  configSeconds,
  keepsConfig: true,
  forbiddenIsAbsent: listenerAccess.forbiddenIsAbsent,
});

await start(parts).catch((thrown: unknown) => {
  parts.log.error('not-started', errorFields(thrown));
  process.exit(1);
});

async function start(aws: AwsParts): Promise<void> {
  const { environment, clock, log, metrics, config, store, dns, secrets } = aws;
  const listeners = environment.listeners ?? (await config.current()).listeners;
  const placeholder = placeholderProblem({ ...(await config.current()), listeners });
  if (placeholder !== null) log.warn('placeholder-hostname', { problem: placeholder });
  const { certificate, daysLeft, problem: certificateProblem } = createCertificateSource(aws);
  const listener = await startListener({
    ...aws,
    listeners,
    suppressions: suppressionLookup(store, clock),
    srsSecret: async () => secrets.read((await config.current()).srsSecret ?? 'secret:srs'),
    reverseName: dns.reverseName,
    newMessageId: messageIdFactory(),
    certificate,
    certificateProblem,
    isBehindProxy: environment.proxyProtocol === 'v2',
    ...(environment.memoryMiB === null ? {} : { memoryBytes: environment.memoryMiB * 1_048_576 }),
  });
  const health = await startHealthServer({ ...environment.health, listener, config });
  const measure = () => {
    const known = listener.health();
    metrics.measure('connections-open', known.connections);
    if (isConfigBroken(known, config.problem())) metrics.count('config-problems');
    const days = daysLeft();
    if (days !== null && days < toldDays) metrics.measure('certificate-days-left', days);
    metrics.flush();
  };
  measure();
  const timer = setInterval(measure, metricsSeconds * 1_000);
  log.info('started', { listeners: JSON.stringify(listener.addresses), healthPort: health.port });
  process.once('SIGTERM', () => {
    clearInterval(timer);
    void stop();
  });
  /** Mail in flight is finished; `/health` says meanwhile that nothing new should come. */
  async function stop(): Promise<void> {
    log.info('stopping', { graceSeconds });
    await listener.close(graceSeconds);
    measure();
    await health.close();
    log.info('stopped');
    process.exit(0);
  }
}
