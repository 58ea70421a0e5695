// The listener over the embedded store, without the stages: what accepting costs when it is durable. First argument: the
// data folder.

import { startListener } from '#container/listener.ts';
import { certificateSource } from '#local/certificate.ts';
import { openEmbedded } from '#local/embedded/open-embedded.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { configSchema } from '#pipeline/config/config.ts';

const folder = process.argv[2] ?? '';
const listeners = [{ role: 'mx' as const, port: 0 }];
const limits = { connectionsPerIp: 1_000, messagesPerMinutePerIp: 100_000_000, transactionsPerConnection: 1_000_000 };
const config = configSchema.parse({ mode: 'capture', listeners, limits });
const source = { current: () => Promise.resolve(config) };
const quiet = () => undefined;
const secrets = { read: () => Promise.reject(new Error('the bench has no secrets')) };

const world = await openEmbedded({ folder, clock: Date.now });
const listener = await startListener({
  intake: world.intake,
  config: source,
  secrets,
  suppressions: () => Promise.resolve({ outcome: 'written' }),
  srsSecret: () => Promise.resolve('bench'),
  reverseName: () => Promise.resolve(null),
  clock: Date.now,
  newMessageId: messageIdFactory(),
  log: { info: quiet, warn: quiet, error: (event, fields) => console.error(event, fields) },
  metrics: { count: quiet, measure: quiet },
  certificate: certificateSource({ config: source, secrets, folder, clock: Date.now }),
});
console.log(JSON.stringify({ port: listener.addresses[0]?.port }));
process.once('SIGTERM', () => {
  void listener.close(5).then(() => world.close());
});
