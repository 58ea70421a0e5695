// The event of each stored message, sent by the bundles that ship to an EventBridge that refuses now and then.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startEmulatorWorld } from '#local/emulator/start-emulator.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import { mailEventSchema } from '#pipeline/contract/mail-event.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

test('EventBridge away, then throttling: the message is stored, its job waits, and its event comes', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-events-'));
  const taken: any[] = [];
  let calls = 0;
  const bus = createServer(async (request, response) => {
    const { Entries } = JSON.parse(await text(request));
    calls += 1;
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (calls <= 3) {
      response.writeHead(503).end('{}'); // the three tries of the SDK: the run fails
      return;
    }
    const isRefused = calls === 4;
    if (!isRefused) taken.push(...Entries);
    const answer = isRefused ? { ErrorCode: 'ThrottlingException' } : { EventId: 'e' };
    response.end(JSON.stringify({ FailedEntryCount: isRefused ? 1 : 0, Entries: Entries.map(() => answer) }));
  });
  await new Promise<void>((resolve) => bus.listen(0, '127.0.0.1', resolve));
  const { port } = bus.address() as AddressInfo;
  const log = silentLog();
  const dns = { servers: ['127.0.0.1:1'], timeoutSeconds: 1, temperrorRetrySeconds: [] };
  const delivery = { retrySeconds: [5] };
  const world = await startEmulatorWorld({
    folder: join(folder, 'emulator'),
    config: fixedConfigSource(configSchema.parse({ mode: 'capture', hostname: 'mx.receiver.example', dns, delivery })),
    secretsFolder: folder,
    filesFolder: folder,
    environment: { PILLARBOX_EVENT_BUS: 'default', AWS_ENDPOINT_URL_EVENTBRIDGE: `http://127.0.0.1:${port}` },
    clock: Date.now,
    log,
    metrics: noMetrics(),
    write: () => {},
    bundles: join(await sharedBundles(), 'functions'),
  });
  t.after(async () => {
    await world.close(1);
    bus.close();
    await rm(folder, { recursive: true, force: true });
  });
  const content = Buffer.from('From: Ann@sender.example\r\nSubject: bells ring\r\n\r\nthe text\r\n');
  const job = sampleReceivedJob({ content });
  const writer = world.intake.open({ key: job.raw.key, envelope: { reversePath: job.envelope.reversePath } });
  await writer.write(content);
  await writer.commit(job);
  await eventually('the run failed by an own fault', () => log.entries.some(({ event }) => event === 'own-fault'));
  assert.equal(taken.length, 0);
  const [key] = await world.admin.findMessage(job.id);
  assert.ok(key, 'it is stored all the same');
  await world.time.setAhead(60_000);
  await eventually('the event came', () => taken.length > 0);
  const { Source, DetailType, EventBusName, Detail } = taken[0];
  assert.deepEqual([Source, DetailType, EventBusName], ['pillarbox', 'Mail stored', 'default']);
  const detail = mailEventSchema.parse(JSON.parse(Detail));
  assert.deepEqual([detail.key, detail.bucket, detail.subject], [key, world.emulator.bucket, 'bells ring']);
  assert.deepEqual([detail.from, taken.length], [['ann@sender.example'], 1]);
});
