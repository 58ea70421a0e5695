// NOTIFY=SUCCESS for a mailbox here, through all three stages over the embedded queue: the sender is told once the JSON is there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authenticate } from '#functions/authenticate/authenticate.ts';
import { deliver } from '#functions/deliver/deliver.ts';
import { createConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { createWorkerMemory } from '#functions/deliver/worker-memory.ts';
import { parse } from '#functions/parse/parse.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import { runStages } from '#local/run/run-stages.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { fixedConfig } from '#test/support/fakes/fixed-config.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { openTestWorld } from '#test/support/worlds/embedded-world.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

test('the sender is told of success when the JSON is there: not while parse fails, not twice when it runs twice', async (t) => {
  const world = await openTestWorld();
  const { clock, jobs, intake } = world;
  let isFull = true;
  const store: ObjectStore = {
    ...world.store,
    put: async (request) => {
      if (isFull && request.key.startsWith('inbox/'))
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      return world.store.put(request);
    },
  };
  const parser = createParser();
  const connections = createConnectionPool();
  const deps = {
    ...{ store, jobs, intake, clock, parser, connections, memory: createWorkerMemory(), random: Math.random },
    config: fixedConfig({ hostname: 'mx.ours.example', domains: { 'ours.example': { mailboxes: ['ann', 'bob'] } } }),
    secrets: { read: () => Promise.reject(new Error('no secrets here')) },
    resolve: zoneResolver({}),
    log: silentLog(),
    metrics: noMetrics(),
    newMessageId: messageIdFactory(),
    fetchPolicy: async () => ({ outcome: 'failed', reason: 'there is none' }) as const,
  };
  const parsed: ParseJob[] = [];
  const running = runStages({
    ...deps,
    source: world.source,
    runs: {
      received: (job, handout) => authenticate({ ...deps, lane: 'fast' }, job, handout),
      'received-slow': (job, handout) => authenticate({ ...deps, lane: 'slow' }, job, handout),
      parse: (job, handout) => {
        parsed.push(job);
        return parse(deps, job, handout);
      },
      deliver: (job, handout) => deliver({ ...deps, soleWorker: true }, job, handout),
      notify: async () => ({ outcome: 'told' }),
    },
  });
  t.after(async () => {
    await running.stop(0);
    await Promise.all([parser.close(), connections.close()]);
    await world.close();
  });
  const content = Buffer.from('From: <ann@ours.example>\r\nSubject: hello\r\n\r\nHello.\r\n');
  const mailbox = { domain: 'ours.example', localPart: 'bob', tag: null };
  const dsn = { notify: ['success' as const], orcpt: null };
  const job = sampleReceivedJob({
    content,
    session: { role: 'submission', clientIp: null, clientName: null, helo: null, tls: null, user: 'ann@ours.example' },
    reversePath: 'ann@ours.example',
    recipients: [{ forwardPath: 'bob@ours.example', dsn, route: { kind: 'mailbox', mailbox } }],
  });
  await store.put({ key: job.raw.key, body: content, contentType: 'message/rfc822' });
  const keysOf = async (prefix: string): Promise<readonly string[]> =>
    (await store.list({ prefix })).objects.map(({ key }) => key);
  const isQuiet = async (): Promise<boolean> =>
    (await world.admin.queues()).every(({ ready, inFlight }) => ready + inFlight === 0);
  const pass = async (minutes: number): Promise<void> => {
    await eventually('the queues are quiet', isQuiet);
    for (let passed = 0; passed < minutes; passed += 5) {
      clock.advance(300_000);
      await world.tick();
      await eventually('the queues are quiet', isQuiet);
    }
  };

  await jobs.send('received', job);
  await pass(30);
  assert.ok(parsed.length > 1, `parse ran ${parsed.length} times`);
  assert.deepEqual([await keysOf('deliveries/'), await keysOf('inbox/')], [[], []]);

  isFull = false;
  await pass(30);
  const [delivered, report, ...others] = await keysOf('inbox/');
  assert.deepEqual(others, []);
  const message = JSON.parse((await collect((await store.get(delivered!))!.body)).toString());
  assert.equal(message.mailbox.localPart, 'ann', 'the report is the first by key');
  assert.match(report!, /^inbox\/ours\.example\/bob\//);
  const raw = (await collect((await store.get(message.raw.key))!.body)).toString();
  assert.match(raw, /^Final-Recipient: rfc822;bob@ours\.example\r\nAction: delivered\r\nStatus: 2\.0\.0\r$/m);

  await jobs.send('parse', parsed[0]!);
  await pass(30);
  assert.equal((await keysOf('inbox/')).length, 2);
});
