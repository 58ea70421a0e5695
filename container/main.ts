// The listener as Fargate runs it: the composition root. Builds the AWS adapters from the environment, opens the ports,
// answers `/health`, and on SIGTERM finishes what is under way.
import { generate } from 'selfsigned';
import { messageIdFactory } from '#mail/message-id.ts';
import { type AwsParts, createAwsParts } from '#pipeline/aws-parts.ts';
import { errorFields } from '#pipeline/log.ts';
import { listenerAccess } from '#pipeline/stages.ts';
import { suppressionLookup } from '#pipeline/suppressions.ts';
import { startHealthServer } from './health-server.ts';
import { type Listener, type ListenerDeps, startListener } from './listener.ts';

/** Fargate ends a task 120 s after SIGTERM at the latest. */
const graceSeconds = 110;
const metricsSeconds = 60;

const parts = createAwsParts({
  name: 'listener',
  sends: listenerAccess.sends,
  variables: process.env,
  write: (line) => process.stdout.write(line),
});

await start(parts).catch((thrown: unknown) => {
  parts.log.error('not-started', errorFields(thrown));
  process.exit(1);
});

async function start({
  environment,
  clock,
  log,
  metrics,
  config,
  store,
  dns,
  secrets,
  intake,
}: AwsParts): Promise<void> {
  if (environment.proxyProtocol !== null) throw new Error('PILLARBOX_PROXY_PROTOCOL: not supported yet; unset it');
  const listener = await startListener({
    intake,
    config,
    secrets,
    suppressions: suppressionLookup(store),
    srsSecret: async () => secrets.read((await config.current()).srsSecret ?? 'secret:srs'),
    reverseName: dns.reverseName,
    clock,
    newMessageId: messageIdFactory(),
    log,
    metrics,
    certificate: certificateOf(parts),
  });
  const health = await startHealthServer({ ...environment.health, listener, config, clock });
  const measure = () => {
    metrics.measure('connections-open', listener.health().connections);
    metrics.flush();
  };
  const timer = setInterval(measure, metricsSeconds * 1_000);
  log.info('started', { listeners: JSON.stringify(listener.addresses), healthPort: health.port });
  process.once('SIGTERM', () => {
    clearInterval(timer);
    void stop(listener, async () => {
      measure();
      await health.close();
    });
  });
}

/** Mail in flight is finished; `/health` says meanwhile that nothing new should come. */
async function stop(listener: Listener, andThen: () => Promise<void>): Promise<void> {
  parts.log.info('stopping', { graceSeconds });
  await listener.close(graceSeconds);
  await andThen();
  parts.log.info('stopped');
  process.exit(0);
}

/** The configured certificate; without one, one signed by itself, good for opportunistic TLS alone. */
function certificateOf({ config, secrets, log }: AwsParts): ListenerDeps['certificate'] {
  let own: ReturnType<ListenerDeps['certificate']> | null = null;
  return async () => {
    const { tls, hostname } = await config.current();
    if (tls !== null) {
      const [certificate, key] = await Promise.all([secrets.read(tls.certificate), secrets.read(tls.key)]);
      return { certificate, key };
    }
    if (own === null) log.warn('self-signed-certificate', { hostname, reason: 'the configuration has no "tls"' });
    own ??= selfSigned(hostname);
    return own;
  };
}

async function selfSigned(hostname: string): Promise<{ certificate: string; key: string }> {
  const made = await generate([{ name: 'commonName', value: hostname }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: hostname }] }],
  });
  return { certificate: made.cert, key: made.private };
}
