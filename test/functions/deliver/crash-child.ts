// A process with the embedded world in it, to be killed: queues so many deliveries at first, then delivers what is there.
import { createHash } from 'node:crypto';
import { startEmbedded } from '#local/start-embedded.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { rawKey } from '#pipeline/contract/keys.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { nested } from '#test/support/samples/sample-jobs.ts';

const [folder = '', port = '', count = '0'] = process.argv.slice(2);
const newMessageId = messageIdFactory();
const world = await startEmbedded({
  folder,
  config: fixedConfig({
    hostname: 'mx.pillarbox.example',
    delivery: { port: Number(port), allowPrivateTargets: true, retrySeconds: [1], attemptSeconds: 30 },
  }),
  secrets: { read: async () => '' },
  resolve: zoneResolver({ 'far.example': { A: ['127.0.0.1'] } }),
  newMessageId,
  random: Math.random,
  clock: Date.now,
  log: silentLog(),
  metrics: noMetrics(),
});
async function queueOne(n: number): Promise<void> {
  const id = newMessageId(Date.now());
  const receivedAt = new Date().toISOString();
  const body = Buffer.from(`From: a@sender.example\r\nX-Number: ${n}\r\n\r\nHello.\r\n`);
  const key = rawKey({ id, receivedAt });
  await world.store.put({ key, body, contentType: 'message/rfc822' });
  await world.jobs.send(
    'deliver',
    nested<DeliverJob>({
      version: 2,
      id,
      receivedAt,
      raw: { key, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') },
      session: { role: 'submission', clientIp: null, clientName: null, helo: null, tls: null, user: 'a' },
      reversePath: 'a@sender.example',
      domain: 'far.example',
      recipients: [{ forwardPath: 'b@far.example', dsn: { notify: null, orcpt: null }, originalForwardPath: null }],
      signingDomain: null,
      attempt: 1,
      firstAttemptAt: null,
      expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
    }),
  );
}
const numbers = Array.from({ length: Number(count) }, (_, n) => n);
for (let n = 0; n < numbers.length; n += 200) await Promise.all(numbers.slice(n, n + 200).map(queueOne));
console.log('ready');
for (let open = 1; open > 0; ) {
  const queues = await world.admin.queues();
  const deliver = queues.find(({ name }) => name === 'deliver');
  open = deliver === undefined ? 0 : deliver.ready + deliver.delayed + deliver.inFlight + deliver.dead;
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log('empty');
await world.close(5);
